package sgchain

import (
	"math"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
)

// Port is a protocol and its ports: an entry of Ports. Create one with a constructor such as [Tcp] or
// [Https]. The chain checks the numbers when it is created, and refuses the zero value.
type Port struct{ text string }

// PortOf converts a port of the CDK, for example awsec2.Port_Tcp(jsii.Number(443)). A port that is a
// token is refused, because the chain is deployed before what listens on the port.
func PortOf(port awsec2.Port) Port {
	if port == nil {
		return Port{}
	}
	rule, _ := port.ToRuleJson().(map[string]any)
	protocol, _ := rule["ipProtocol"].(string)
	var ends [2]*int
	for i, key := range []string{"fromPort", "toPort"} {
		end, isNumber := rule[key].(float64)
		if !isNumber {
			continue
		}
		whole := math.MinInt
		if !*awscdk.Token_IsUnresolved(end) {
			whole = int(end)
		}
		ends[i] = &whole
	}
	return portOf(protocol, ends[0], ends[1])
}

// Ports is a list of TCP ports, each a Port of its own.
func Ports(ports ...int) []Port {
	list := make([]Port, 0, len(ports))
	for _, port := range ports {
		list = append(list, Tcp(port))
	}
	return list
}

// Tcp is one TCP port, 0 to 65535.
func Tcp(port int) Port { return Port{number(port)} }

// number returns a port as text. The CDK encodes a token as a number far below every int. As an int
// it is math.MinInt, which becomes a token as text and is refused like other tokens.
func number(port int) string {
	if port == math.MinInt {
		return "${Token[port]}"
	}
	return strconv.Itoa(port)
}

// TcpRange is the TCP ports from one to another, both included, each 0 to 65535.
func TcpRange(from, to int) Port { return Port{number(from) + "-" + number(to)} }

// AllTcp is every TCP port.
func AllTcp() Port { return TcpRange(0, 65535) }

// Udp is one UDP port, 0 to 65535.
func Udp(port int) Port { return Port{"udp/" + number(port)} }

// UdpRange is the UDP ports from one to another, both included, each 0 to 65535.
func UdpRange(from, to int) Port {
	return Port{"udp/" + number(from) + "-" + number(to)}
}

// AllUdp is every UDP port.
func AllUdp() Port { return UdpRange(0, 65535) }

// Icmp is ICMP of every type. Its peers must have IPv4 addresses.
func Icmp() Port { return Port{"icmp"} }

// IcmpType is ICMP of one type, 0 to 255, with every code.
func IcmpType(kind int) Port { return Port{"icmp/" + strconv.Itoa(kind)} }

// IcmpTypeAndCode is ICMP of one type and one code, each 0 to 255.
func IcmpTypeAndCode(kind, code int) Port {
	return Port{"icmp/" + strconv.Itoa(kind) + "/" + strconv.Itoa(code)}
}

// IcmpPing is ICMP's echo request, type 8.
func IcmpPing() Port { return IcmpType(8) }

// IcmpV6 is ICMPv6 of every type. Its peers must have IPv6 addresses.
func IcmpV6() Port { return Port{"icmpv6"} }

// IcmpV6Type is ICMPv6 of one type, 0 to 255, with every code.
func IcmpV6Type(kind int) Port { return Port{"icmpv6/" + strconv.Itoa(kind)} }

// IcmpV6TypeAndCode is ICMPv6 of one type and one code, each 0 to 255.
func IcmpV6TypeAndCode(kind, code int) Port {
	return Port{"icmpv6/" + strconv.Itoa(kind) + "/" + strconv.Itoa(code)}
}

// Protocol is an IP protocol by its number, 0 to 255, for example 50 for ESP. TCP, UDP, ICMP and
// ICMPv6 have their own constructors and are refused here.
func Protocol(number int) Port { return Port{"proto/" + strconv.Itoa(number)} }

// AllTraffic is every protocol and every port.
func AllTraffic() Port { return Port{"all"} }

// TCP ports of common services, by their registered names.

// Http is TCP port 80.
func Http() Port { return Port{"http"} }

// Https is TCP port 443.
func Https() Port { return Port{"https"} }

// Ssh is TCP port 22.
func Ssh() Port { return Port{"ssh"} }

// Rdp is TCP port 3389.
func Rdp() Port { return Port{"rdp"} }

// Nfs is TCP port 2049, which EFS listens on.
func Nfs() Port { return Port{"nfs"} }

// Postgres is TCP port 5432.
func Postgres() Port { return Port{"postgres"} }

// Mysql is TCP port 3306, also of MariaDB and Aurora MySQL.
func Mysql() Port { return Port{"mysql"} }

// Mssql is TCP port 1433, of SQL Server.
func Mssql() Port { return Port{"mssql"} }

// Oracle is TCP port 1521.
func Oracle() Port { return Port{"oracle"} }

// Mongodb is TCP port 27017, also of DocumentDB.
func Mongodb() Port { return Port{"mongodb"} }

// Redis is TCP port 6379, also of Valkey.
func Redis() Port { return Port{"redis"} }

// Memcached is TCP port 11211.
func Memcached() Port { return Port{"memcached"} }

// Kafka is TCP port 9092.
func Kafka() Port { return Port{"kafka"} }

// Amqp is TCP port 5672.
func Amqp() Port { return Port{"amqp"} }
