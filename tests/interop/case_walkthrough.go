package main

func walkthroughCases() []Case { return nil }
