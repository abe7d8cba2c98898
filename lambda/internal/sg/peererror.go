package sg

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sgchain/lambda/chain"
)

// peerPatience is how long a group that a rule names may be unknown to EC2: it may have been
// made just before this request. EC2 gives the same code for a group of the chain that is
// too young, which has [freshGroupPatience].
const peerPatience = 3 * time.Second

// PeerError is rules that EC2 refuses because of whom they name.
type PeerError struct {
	*CallError

	Peers []string
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("%s; refused because of %s", e.CallError.Error(), capped(e.Peers))
}

// Unwrap leads to EC2's own error.
func (e *PeerError) Unwrap() error { return e.CallError }

// Remedy is one sentence of what to do.
func (e *PeerError) Remedy() string {
	if !IsGroupNotFound(e.Err) || isOtherNetworks(e.Err) {
		return e.CallError.Remedy()
	}
	return "Name a security group that is there, with its own account before it where that is another one, or leave the peer out, then deploy again."
}

// refusedPeers finds the peers because of which EC2 refused to authorize rules: those of
// groups outside the chain that it does not know, or that are in a VPC that is not connected;
// nil where the refusal is about something else.
func refusedPeers(failed *CallError, rules []chain.Rule, holderID string) *PeerError {
	if !IsGroupNotFound(failed.Err) || strings.Contains(Cause(failed.Err), "'"+holderID+"'") {
		return nil
	}
	var peers []string
	for _, rule := range rules {
		isMeant := isOtherNetworks(failed.Err) || strings.Contains(Cause(failed.Err), rule.Peer.ID)
		if rule.Peer.Kind == chain.PeerGroup && isMeant && !slices.Contains(peers, rule.Peer.String()) {
			peers = append(peers, rule.Peer.String())
		}
	}
	if len(peers) == 0 {
		return nil
	}
	return &PeerError{CallError: failed, Peers: peers}
}
