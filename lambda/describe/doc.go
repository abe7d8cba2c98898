// Package describe derives the properties of a chain from existing security groups: the inverse of [chain.Parse] and
// [chain.Desired]. It is pure, as package chain is.
//
//	[]Group -Choose-> groups that a chain can adopt -Chains-> []Chain -Prove-> Proof
//
// The parser of package chain decides what can be written: a port, a range or a description is expressible if Parse reads it back unchanged.
// Prove then parses all the properties of a chain, and compares what they ask for with the groups.
package describe
