package main

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sgchain/cdk/internal/release"
	"sgchain/lambda/chain"
)

// form checks texts against the pattern of a field of a template and against the function's parser.
type form struct {
	template object
	field    string
	beside   map[string]string // values that other fields need
}

func (f form) accepts(text string) bool {
	return accepts(dig[string](f.template, "Parameters", f.field, "AllowedPattern"), text)
}

// parses returns the function's error for the chain that the form describes with this text.
func (f form) parses(t *testing.T, text string) error {
	t.Helper()
	// Without this, the other group's name could equal this one's.
	given := map[string]string{"VpcId": "vpc-0abc", "FargateGroupName": "", "ServiceToken": "arn", f.field: text}
	maps.Copy(given, f.beside)
	l := launch{t, f.template, given}
	properties := dig[object](l.value(dig[any](f.template, "Resources", chainID, "Properties")))
	_, err := chain.Parse(properties, chain.DefaultAnswerBytes)
	return err
}

// around generates a text of a kind, and usually changes, removes or adds one character.
func around(kind *rapid.Generator[string], alphabet string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := kind.Draw(t, "text")
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			other := string(rapid.SampledFrom([]byte(alphabet)).Draw(t, "character"))
			switch {
			case at == len(text) || rapid.Bool().Draw(t, "adds"):
				text = text[:at] + other + text[at:]
			case rapid.Bool().Draw(t, "changes"):
				text = text[:at] + other + text[at+1:]
			default:
				text = text[:at] + text[at+1:]
			}
		}
		return text
	})
}

func portTexts() *rapid.Generator[string] {
	number := func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(0, 70000).Draw(t, "port")) }
	return rapid.Custom(func(t *rapid.T) string {
		protocol := rapid.SampledFrom([]string{"", "", "tcp/", "udp/"}).Draw(t, "protocol")
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]string{"http", "https"}).Draw(t, "name")
		case 1:
			return protocol + number(t) + "-" + number(t)
		default:
			return protocol + number(t)
		}
	})
}

func sourceTexts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		bytes := func(n int) []byte {
			// Many zeros, and ffff at the place of an IPv4-mapped address.
			return rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 0, 0, 1, 0x10, 0xff, 0xff, 200}), n, n).Draw(t, "bytes")
		}
		length := func(most int) string { return strconv.Itoa(rapid.IntRange(0, most+9).Draw(t, "length")) }
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 8:
			return rapid.StringMatching(`group/(sg-|[Ss][Gg]-)?[A-Za-z0-9 ._\-:/()#@\[\]+=&;{}!$*]{0,260}`).Draw(t, "name of a group")
		case 9:
			return rapid.StringMatching(`list/([pP][lL]-[0-9a-fA-F]*)?[ -~]{0,260}`).Draw(t, "name of a customer's list")
		case 0:
			return rapid.SampledFrom([]string{"internet", "internet-v4", "internet-v6", "vpc"}).Draw(t, "word")
		case 1:
			return rapid.StringMatching(`([0-9]{12}/)?sg-[0-9a-z]{1,130}`).Draw(t, "group")
		case 2:
			return rapid.StringMatching(`pl-[0-9a-z]{1,130}`).Draw(t, "list")
		case 3:
			return rapid.StringMatching(`(com\.amazonaws|cn\.com\.amazonaws|eu\.amazonaws|gov\.ic\.c2s|gov\.sgov\.sc2s|gov\.ic\.hci\.csp|uk\.adc-e\.cloud)\.([a-z0-9{}.-]|\{region\}){1,110}`).Draw(t, "name of a list")
		case 4:
			return netip.AddrFrom4([4]byte(bytes(4))).String() + "/" + length(32)
		case 5:
			mapped := append(make([]byte, 10), 0xff, 0xff, 1, 2, 3, 4)
			return groups(t, netip.AddrFrom16([16]byte(mapped))) + "/" + length(128)
		default:
			return groups(t, netip.AddrFrom16([16]byte(bytes(16)))) + "/" + length(128)
		}
	})
}

// groups writes an IPv6 address with all of its groups, or with two colons for some zeros.
func groups(t *rapid.T, address netip.Addr) string {
	whole := address.As16()
	var parts []string
	for i := 0; i < 16; i += 2 {
		parts = append(parts, fmt.Sprintf("%x", int(whole[i])<<8|int(whole[i+1])))
	}
	text := strings.Join(parts, ":")
	first := rapid.IntRange(0, 7).Draw(t, "first")
	last := first
	for last < 8 && parts[last] == "0" {
		last++
	}
	if last > first && rapid.Bool().Draw(t, "shortens") {
		text = strings.Join(parts[:first], ":") + "::" + strings.Join(parts[last:], ":")
	}
	if rapid.Bool().Draw(t, "capitals") {
		text = strings.ToUpper(text)
	}
	return text
}

func nameTexts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		start := rapid.SampledFrom([]string{"", "", "sg-", " Sg-", "default", "Default ", " "}).Draw(t, "start")
		return start + rapid.StringMatching(`[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,260}`).Draw(t, "rest")
	})
}

func stackTexts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "is a name") {
			return rapid.StringMatching(`[A-Za-z][-A-Za-z0-9]{0,130}`).Draw(t, "name")
		}
		return rapid.StringMatching(`arn:aws(-cn|-us-gov)?:cloudformation:[a-z]{2}-[a-z]{4,9}-[1-9]:[0-9]{12}:stack/[A-Za-z][-A-Za-z0-9]{0,130}/[0-9a-f-]{1,60}`).Draw(t, "ID")
	})
}

// TestPatternsMatchParser checks that the function's parser accepts every text that a field
// accepts. It also checks that a field accepts every text of its kind that the parser accepts.
func TestPatternsMatchParser(t *testing.T) {
	t.Parallel()
	template, _ := read(t, release.AllInOne)
	nested, _ := read(t, release.Chain)
	moved := map[string]string{movedFromID: "Chain"}
	for _, c := range []struct {
		field, alphabet string
		texts           *rapid.Generator[string]
		// kind matches the texts of the field's kind, if the parser also accepts others or other
		// spellings.
		kind string
		// later matches texts that the pattern accepts and only the parser can refuse.
		later string
		// beside has the values that a field of chain.json needs in other fields.
		beside map[string]string
	}{
		{"AlbPorts", "0123456789-/tcpudhs ", portTexts(), `^(((tcp|udp)/)?(0|[1-9][0-9]*)(-(0|[1-9][0-9]*))?|https?)$`, "runs backwards", nil},
		{
			"AlbSources", "0123456789abcdefFG:./-{}sgpl", sourceTexts(),
			`^([a-z0-9{}.-]+|([0-9]{12}/)?sg-[a-z0-9]+|[0-9.]+/[0-9]+|[0-9A-Fa-f:]+/[0-9]+|group/[^ ].*[^ ]|list/[^ "][^"]*[^ "])$`, "", nil,
		},
		{"AlbGroupName", "sSgG-dDefault <&\"", nameTexts(), `^([^ ].*[^ ]|[^ ]?)$`, "", nil},
		{"NamePrefix", "sSgG- <&\"", nameTexts(), `^.{0,100}$`, "", nil},
		{"ContainerPort", "0123456789.-", rapid.Custom(func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(-5, 70000).Draw(t, "port")) }), `^[1-9][0-9]*$`, "", nil},
		{"RuleQuota", "0123456789.-", rapid.Custom(func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(-5, 1100).Draw(t, "quota")) }), `^[1-9][0-9]*$`, "", nil},
		{movedFromID, "aZ09-_.", rapid.StringMatching(`[A-Za-z0-9]{0,190}`), `^[^ ]*$`, "", map[string]string{}},
		{movedFromStack, "aZ09-_:/", stackTexts(), `^[^ ]*$`, "", moved},
		{movedFromProvider, "aZ09-_:/", stackTexts(), `^[^ ]*$`, "", moved},
	} {
		f, kind := form{template, c.field, c.beside}, regexp.MustCompile(c.kind)
		if c.beside != nil {
			f.template = nested
		}
		taken, refused := 0, 0
		property := func(rt *rapid.T) {
			text := around(c.texts, c.alphabet).Draw(rt, c.field)
			accepted, err := f.accepts(text), f.parses(t, text)
			switch {
			case accepted && err != nil && (c.later == "" || !strings.Contains(err.Error(), c.later)):
				rt.Errorf("%s accepts %q, but the parser reports: %v", c.field, text, err)
			case !accepted && err == nil && kind.MatchString(text) && !strings.ContainsAny(text, ","):
				rt.Errorf("%s refuses %q, and the parser takes it", c.field, text)
			case accepted:
				taken++
			default:
				refused++
			}
		}
		for range 10 { // a hundred texts each
			rapid.Check(t, property)
		}
		if taken < 10 || refused < 10 {
			t.Errorf("%s: %d texts were accepted and %d refused: the property proves nothing", c.field, taken, refused)
		}
	}
}
