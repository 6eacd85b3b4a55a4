package main

func extensionCases() []Case { return nil }
