// Package describe is the way back from security groups to the properties that describe them: the inverse of [chain.Parse] and
// [chain.Desired]. It is pure, as package chain is.
//
//	[]Group -Choose-> groups that a chain can adopt -Chains-> []Chain -Prove-> Proof
//
// The parser of package chain is the judge of what can be written: a port, a range, a description counts as expressible where Parse reads it
// back unchanged. Prove then reads all the properties of a chain and compares what they ask for with the groups as they were read.
package describe
