package main

func harnessCases() []Case { return nil }
