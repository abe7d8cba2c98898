// Package importer finds the chain that describes security groups of an account, and proves that
// the description is exact. It writes the chain as a template or as Go.
package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
	"sgchain/lambda/describe"
	"sgchain/lambda/inventory"
)

// Options select what is imported.
type Options struct {
	Selection inventory.Selection
	// Exclude lists the IDs of groups that stay outside of the chain. Retained accepts groups that
	// a deleted CloudFormation stack retained.
	Exclude  []string
	Retained bool
}

// Chain is a chain and the comments on it.
type Chain struct {
	describe.Chain

	LogicalID string
}

// Result has chains that were proven.
type Result struct {
	Chains []Chain // at least one
	// Groups and Rules are how many they describe, all together.
	Groups, Rules int
	// Refused are the groups that were read and are not tiers.
	Refused []describe.Refusal
	// Rewritten are the descriptions that the chains change after the adoption.
	Rewritten []describe.Rewriting
}

// NotExactError reports groups that no chain describes exactly. Each problem is a line.
type NotExactError struct{ Problems []string }

func (e *NotExactError) Error() string {
	return "no chain describes these security groups exactly:\n  " + strings.Join(e.Problems, "\n  ") + "\nChange what is named, or exclude the group with --exclude."
}

// Import reads the groups, describes them and proves the description. Each group that is named by
// its ID has to become a tier. Others that cannot be tiers are left out.
func Import(ctx context.Context, api inventory.API, options Options) (Result, error) {
	read, err := inventory.Read(ctx, api, options.Selection)
	if err != nil {
		return Result{}, err
	}
	groups := make([]describe.Group, 0, len(read.Groups))
	for _, group := range read.Groups {
		groups = append(groups, describe.Group(group))
	}
	tiers, refused := describe.Choose(groups, describe.Options{Account: read.Found.Account, Exclude: options.Exclude, Retained: options.Retained})
	var problems []string
	for _, one := range refused {
		if slices.Contains(options.Selection.IDs, one.ID) && !slices.Contains(options.Exclude, one.ID) {
			problems = append(problems, one.String())
		}
	}
	if len(problems) > 0 {
		return Result{}, &NotExactError{problems}
	}
	if len(tiers) == 0 {
		return Result{}, &NotExactError{append([]string{"no group can become a tier"}, lines(refused)...)}
	}
	described, err := describe.Chains(tiers, read.Found)
	if inexact, isInexact := errors.AsType[*describe.InexactError](err); isInexact {
		return Result{}, &NotExactError{inexact.Problems}
	}
	if err != nil {
		return Result{}, err
	}
	return prove(described, tiers, read.Found, refused)
}

// prove returns an error for everything that was not proven.
func prove(described []describe.Chain, tiers []describe.Group, found chain.Found, refused []describe.Refusal) (Result, error) {
	result := Result{Refused: refused}
	var problems []string
	for place, one := range described {
		proof := one.Prove(tiers, found)
		problems = append(problems, proof.Differences...)
		result.Groups += proof.Groups
		result.Rules += proof.Rules
		result.Rewritten = append(result.Rewritten, proof.Rewritten...)
		logicalID := "Chain"
		if len(described) > 1 {
			logicalID = fmt.Sprint("Chain", place+1)
		}
		result.Chains = append(result.Chains, Chain{one, logicalID})
	}
	if result.Groups != len(tiers) {
		problems = append(problems, fmt.Sprintf("the chains have %d of %d groups", result.Groups, len(tiers)))
	}
	if len(problems) > 0 {
		return Result{}, &NotExactError{problems}
	}
	return result, nil
}

func lines[T fmt.Stringer](list []T) []string {
	texts := make([]string, 0, len(list))
	for _, one := range list {
		texts = append(texts, one.String())
	}
	return texts
}

// Proof returns the sentence about what was proven.
func (r Result) Proof() string {
	subject, verb := "The chain", "describes"
	if len(r.Chains) > 1 {
		subject, verb = fmt.Sprintf("The %d chains", len(r.Chains)), "describe"
	}
	return fmt.Sprintf("%s %s %s and %s exactly.", subject, verb, count(r.Groups, "group"), count(r.Rules, "rule"))
}

func count(number int, thing string) string {
	if number == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", number, thing)
}

// Notes returns what a user should know before deploying the chains.
func (r Result) Notes() []string {
	var notes []string
	for _, one := range r.Chains {
		for _, note := range one.Notes {
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	for _, one := range r.Refused {
		notes = append(notes, "Not a tier: "+one.String()+".")
	}
	if empty := len(slices.DeleteFunc(slices.Clone(r.Rewritten), func(one describe.Rewriting) bool { return one.Rule.Description != "" })); empty > 0 {
		verb := "have"
		if empty == 1 {
			verb = "has"
		}
		notes = append(notes, fmt.Sprintf("%s %s no description. The first update after the adoption sets the chain's.", count(empty, "rule"), verb))
	}
	for _, one := range r.Rewritten {
		if one.Rule.Description != "" {
			notes = append(notes, fmt.Sprintf("%s: a chain cannot have the description %q of %s. The first update after the adoption changes it to %q.", one.GroupID, one.Rule.Description, one.Rule, one.Now))
		}
	}
	return notes
}
