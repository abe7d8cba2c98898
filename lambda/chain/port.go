package chain

import (
	"strconv"
	"strings"
	"sync"
)

// traffic is a protocol and its ports: one entry of a Ports list.
type traffic struct {
	protocol Protocol
	ports    PortRange
}

const (
	maxPort     = 65535
	maxICMP     = 255
	maxProtocol = 255
)

const portForms = `Write 443, "8000-8010", tcp/443, udp/53, icmp, icmp/3/4, icmpv6, proto/50, all, or a name such as https.`

// numberForm begins the form of a protocol without a name: proto/50.
const numberForm = "proto"

// services has the port names with their registered numbers (IANA Service Name and Transport
// Protocol Port Number Registry). All of them stand for tcp.
var services = sync.OnceValue(func() map[string]int32 {
	return map[string]int32{
		"ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "http": 80, "imap": 143, "ldap": 389, "https": 443,
		"smb": 445, "ldaps": 636, "mssql": 1433, "oracle": 1521, "nfs": 2049, "mysql": 3306, "rdp": 3389,
		"postgres": 5432, "postgresql": 5432, "amqp": 5672, "redis": 6379, "kafka": 9092, "memcached": 11211,
		"mongodb": 27017,
	}
})

// traffic reads one entry of a Ports list.
func (r *reader) traffic(path string, place int, value any) (traffic, bool) {
	text, ok := r.scalar(path, value)
	if !ok {
		return traffic{}, false
	}
	if text == "" {
		r.problem(path, `"" is not a port: entry %d is empty (an empty list parameter gives this). Write a port, or remove the entry.`, place)
		return traffic{}, false
	}
	word := strings.ToLower(text)
	if port, found := services()[word]; found {
		return traffic{TCP, PortRange{port, port}}, true
	}
	head, tail, slash := strings.Cut(word, "/")
	protocol := Protocol(head)
	switch {
	case Protocol(word) == All:
		return traffic{All, AllPorts}, true
	case protocol == ICMP || protocol == ICMPv6:
		return r.icmp(path, text, protocol, tail, slash)
	case head == numberForm && slash:
		return r.protocol(path, tail)
	case (protocol == TCP || protocol == UDP) && slash:
		ports, ok := r.portRange(path, text, tail)
		return traffic{protocol, ports}, ok
	case protocol == TCP || protocol == UDP:
		r.problem(path, "%s has no ports. Write %s/443, or %s/0-65535 for all of them.", head, head, head)
		return traffic{}, false
	default:
		ports, ok := r.portRange(path, text, word)
		return traffic{TCP, ports}, ok
	}
}

func (r *reader) portRange(path, text, ports string) (PortRange, bool) {
	low, high, dash := strings.Cut(ports, "-")
	if !dash {
		high = low
	}
	from, errFrom := strconv.Atoi(strings.TrimSpace(low))
	to, errTo := strconv.Atoi(strings.TrimSpace(high))
	switch {
	case errFrom != nil || errTo != nil:
		r.problem(path, "%s is not a port. %s", quoted(text), portForms)
	case from < 0 || from > maxPort || to < 0 || to > maxPort:
		r.problem(path, "port %s is out of range. Use a port from 0 to %d.", clipped(ports), maxPort)
	case from > to:
		r.problem(path, "port range %s runs backwards. Write %d-%d.", clipped(ports), to, from)
	default:
		return PortRange{int32(from), int32(to)}, true
	}
	return PortRange{}, false
}

// icmp reads "icmp", "icmp/TYPE" and "icmp/TYPE/CODE". All types cannot be combined with one code:
// "if you specify all ICMP types, you must specify all codes" (API reference, IpPermission).
func (r *reader) icmp(path, text string, protocol Protocol, tail string, slash bool) (traffic, bool) {
	if !slash {
		return traffic{protocol, AllPorts}, true
	}
	typeText, codeText, hasCode := strings.Cut(tail, "/")
	kind, errType := strconv.Atoi(typeText)
	code, errCode := -1, error(nil)
	if hasCode {
		code, errCode = strconv.Atoi(codeText)
	}
	if errType != nil || errCode != nil || kind < 0 || kind > maxICMP || code < -1 || code > maxICMP || (hasCode && code < 0) {
		r.problem(path, "%s is not an ICMP type and code. Write %s, %s/8 or %s/3/4, with numbers from 0 to %d.", quoted(text), protocol, protocol, protocol, maxICMP)
		return traffic{}, false
	}
	return traffic{protocol, PortRange{int32(kind), int32(code)}}, true
}

// namedProtocols has the forms of the protocols with a name, by protocol number.
//
//nolint:gochecknoglobals // a constant in all but syntax
var namedProtocols = [maxProtocol + 1]string{1: "icmp", 6: "tcp/443", 17: "udp/53", 58: "icmpv6"}

// protocol reads the number of "proto/50". It refuses the numbers of protocols with ports: EC2
// would turn them into the name and require ports.
func (r *reader) protocol(path, text string) (traffic, bool) {
	number, err := strconv.Atoi(text)
	switch {
	case err != nil || number < 0 || number > maxProtocol:
		r.problem(path, "%s is not an IP protocol number. Write proto/50, with a number from 0 to %d.", quoted(text), maxProtocol)
	case namedProtocols[number] != "":
		r.problem(path, "protocol %d has a form of its own. Write %s.", number, namedProtocols[number])
	default:
		return traffic{Protocol(strconv.Itoa(number)), AllPorts}, true
	}
	return traffic{}, false
}

// traffics reads a Ports list, each entry once.
func (r *reader) traffics(path string, entries []any) []traffic {
	var all []traffic
	seen := map[traffic]bool{}
	for i, entry := range entries {
		if one, ok := r.traffic(index(path, i), i, entry); ok && !seen[one] {
			all, seen[one] = append(all, one), true
		}
	}
	return all
}
