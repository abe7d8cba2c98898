package lifecycle

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// Peers that rules name by name. One is a group of the chain's own account and VPC, which people
// remove and create again. The other is a prefix list whose name another list takes at times.
const (
	opsName    = "by-hand-ops"
	opsGroup   = "group/" + opsName
	officeName = "office"
	namedList  = "list/" + officeName
	namesakeID = "pl-0aaaaaaaaaaaaaaaa"
)

// Out-of-band changes of names.
const (
	namesake     = "another list takes the name, or drops it"
	createdAgain = "a peer is created again under its name"
)

// addNamed creates the group.
func (p *player) addNamed() {
	id, err := createNamed(p.cf)
	if err != nil {
		panic(err) // no such group exists yet
	}
	p.watch.peers, p.watch.peerNames = append(p.watch.peers, id), map[string]string{id: opsGroup}
	<-time.After(p.wait(3 * time.Second)) // until all of EC2 knows the group
}

func createNamed(cf *CloudFormation) (string, error) {
	out, err := cf.World.Client(user).CreateSecurityGroup(cf.background(), &ec2.CreateSecurityGroupInput{
		GroupName: aws.String(opsName), Description: aws.String("created out of band"), VpcId: aws.String(VPC),
	})
	if err != nil {
		return "", err
	}
	return *out.GroupId, nil
}

// remakePeer creates the named group again if it is gone. It is a new group under the same name.
// The rules of a chain that names it follow with the chain's next operation.
func (w *Watch) remakePeer() {
	w.mu.Lock()
	isGone := slices.Contains(w.gone, opsName)
	w.mu.Unlock()
	if !isGone {
		return
	}
	id, err := createNamed(w.cf)
	w.cf.step("the peer %s is created again: %s, %v", opsGroup, id, err)
	if err != nil {
		return
	}
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	w.peers, w.gone = append(slices.Clip(w.peers), id), slices.DeleteFunc(slices.Clone(w.gone), func(one string) bool { return one == opsName })
	names := map[string]string{id: opsGroup}
	maps.Copy(names, w.peerNames)
	w.peerNames = names
	w.mu.Unlock()
	flows := w.snapshot()
	w.mu.Lock()
	defer w.mu.Unlock()
	for flow := range flows {
		if strings.HasPrefix(flow, id+" ") {
			w.exempt[flow] = true // until the next operation has ended
		}
	}
}

// takeName gives the office list's name to another list, or frees it again. While both lists have
// the name, it is ambiguous.
func (w *Watch) takeName() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if place := slices.Index(w.gone, officeName); place >= 0 {
		w.gone = slices.Delete(slices.Clone(w.gone), place, place+1)
		w.cf.World.AddPrefixList(namesakeID, "another", 1, false)
		return
	}
	w.gone = append(slices.Clip(w.gone), officeName)
	w.cf.World.AddPrefixList(namesakeID, officeName, 1, false)
}

// namesStream separates the draws of this file from all others.
const namesStream = 0x6e616d6573

// names makes rules of one history in four name peers by name. In the course of the history a name
// may have no match, several matches or another one.
func names(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^namesStream, index))} //nolint:gosec // repeatable randomness
	if !r.oneIn(4) || h.World.Quota > 0 {
		return
	}
	*h = h.clone() // chains share their tiers
	h.World.Named = true
	first := slices.IndexFunc(h.Steps, func(one Step) bool { return one.Do == "create" })
	for i := range h.Steps {
		for _, source := range []string{opsGroup, namedList} {
			if tiers := h.Steps[i].Chain.Tiers; len(tiers) > 0 && r.oneIn(2) {
				tiers[r.IntN(len(tiers))].admit(pick(r, ports()[:3]...), source)
			}
		}
	}
	insert := func(place int, do string) {
		h.Steps = slices.Insert(h.Steps, place, Step{Do: do, Pick: r.IntN(1 << 8), Rest: max(r.rest(), 10)})
	}
	place := func() int { return first + 1 + r.IntN(len(h.Steps)-first) }
	if r.oneIn(2) {
		at := place()
		insert(at, byOwner)
		insert(at+1+r.IntN(len(h.Steps)-at), createdAgain)
	} else {
		mishap := somewhere(h, r, first, r.IntN(2))
		mishap.Faults = append(mishap.Faults, Fault{Call: 1 + r.IntN(8), Kind: byOwner, Pick: r.IntN(5)})
	}
	for range r.IntN(3) {
		if r.oneIn(2) {
			insert(place(), namesake)
			continue
		}
		mishap := somewhere(h, r, first, r.IntN(2))
		mishap.Faults = append(mishap.Faults, Fault{Call: 1 + r.IntN(8), Kind: namesake})
	}
}

// removeOne removes a peer as its owner does, and returns how rules name it.
func (w *Watch) removeOne(id string) (name string, err error) {
	if ruleName, isNamed := w.peerNames[id]; isNamed {
		return groupOf(ruleName), w.cf.World.DeleteGroup(id)
	}
	return id, w.cf.World.RemoveOtherAccountGroup(id)
}
