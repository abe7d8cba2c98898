package draw

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

// randomDrawing returns a change of up to 40 groups, with rules between them and with others.
func randomDrawing(seed uint64) plan.Drawing {
	r := rand.New(rand.NewPCG(seed, 7))
	count := 1 + r.IntN(40)
	identity := func(i int) chain.Identity {
		return chain.Identity{VPCID: "vpc-1", Tier: fmt.Sprintf("T%d", i), GroupName: []string{"", "a name that is so long that it has to be cut somewhere, and longer still"}[i%2]}
	}
	state := func() chain.State {
		var state chain.State
		for i := range count {
			if r.IntN(5) == 0 {
				continue
			}
			group := chain.Group{Identity: identity(i)}
			for range r.IntN(20) {
				peers := []chain.Peer{
					chain.CIDRPeer(chain.InternetV4), chain.CIDRPeer(netip.MustParsePrefix("10.0.0.0/8")),
					{Kind: chain.PeerPrefixList, ID: "pl-1"},
					{Kind: chain.PeerGroup, ID: "sg-1"},
					chain.MemberPeer(identity(r.IntN(count))), chain.MemberPeer(identity(r.IntN(count))),
				}
				port := 1 + r.Int32N(60000)
				group.Rules = append(group.Rules, chain.Rule{
					Direction: []chain.Direction{chain.Ingress, chain.Ingress, chain.Egress}[r.IntN(3)], Protocol: chain.TCP,
					Ports: chain.PortRange{From: port, To: port}, Peer: peers[r.IntN(len(peers))],
				})
			}
			state.Groups = append(state.Groups, group)
		}
		return state.Normalize()
	}
	return plan.Drawing{Before: state(), After: state()}
}
