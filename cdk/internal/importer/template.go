package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"sgchain/lambda/chain"
	"sgchain/lambda/describe"
)

// ProviderExport is the export of a shared provider's token, as in the published provider.json.
const ProviderExport = "SecurityGroupChainProvider"

// object is a map whose keys keep their order.
type object []field

type field struct {
	key     string
	value   any // text, an int, a bool, a list, an object, or an importValue
	comment string
}

// list is a list of values. A short one is written on one line.
type list []any

// importValue is the export of another stack.
type importValue string

// template returns the resources of the result.
func (r Result) template() object {
	var resources object
	for _, one := range r.Chains {
		resources = append(resources, field{key: one.LogicalID, value: object{
			{key: "Type", value: chain.ResourceType},
			{key: "Properties", value: properties(one.Chain)},
		}})
	}
	return object{{key: "Resources", value: resources}}
}

// properties returns those of [describe.Chain.Properties] in the order of the documentation.
func properties(one describe.Chain) object {
	all := object{
		{key: "ServiceToken", value: importValue(ProviderExport), comment: "of a provider with AllowAdoption"},
		{key: "ServiceTimeout", value: chain.ServiceTimeout},
	}
	values := one.Properties()
	for _, key := range []string{"VpcId", "IpFamilies", "AdoptExisting", "RuleQuota", "Guardrails"} {
		if value, exists := values[key]; exists {
			all = append(all, field{key: key, value: ordered(value)})
		}
	}
	tiers := list{}
	written, _ := values["Tiers"].([]any)
	for place, value := range written {
		tier, _ := ordered(value).(object)
		tier[0].comment = one.Tiers[place].GroupID
		tiers = append(tiers, tier)
	}
	return append(all, field{key: "Tiers", value: tiers})
}

// order returns the order of the keys of a tier, or of an entry of its rules.
func order(isTier bool) []string {
	if isTier {
		return []string{"Name", "GroupName", "Description", "Ports", "Sources", "Ingress", "Egress", "AllowPublic"}
	}
	return []string{"Ports", "Sources", "Destinations", "Description"}
}

// ordered returns a decoded value with the keys of its maps in order.
func ordered(value any) any {
	switch value := value.(type) {
	case map[string]any:
		var one object
		_, isTier := value["Name"]
		for _, key := range order(isTier) {
			if inner, exists := value[key]; exists {
				one = append(one, field{key: key, value: ordered(inner)})
			}
		}
		return one
	case []any:
		all := list{}
		for _, entry := range value {
			all = append(all, ordered(entry))
		}
		return all
	default:
		return value
	}
}

// YAML writes the result as a template, with its notes as comments.
func (r Result) YAML() (string, error) {
	node := r.template().yaml()
	comments := append([]string{r.Proof(), "AdoptExisting adopts the groups: they are released later, never deleted."}, r.Notes()...)
	for i := range comments {
		comments[i] = wrapped(comments[i], "#", "  ")
	}
	var text bytes.Buffer
	fmt.Fprintln(&text, strings.Join(comments, "\n"))
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(node); err != nil {
		return "", fmt.Errorf("writing the template: %w", err)
	}
	return text.String(), encoder.Close()
}

// width is the line width of comments.
const width = 100

// wrapped returns a sentence as lines of comments. Those after the first are indented.
func wrapped(sentence, mark, indent string) string {
	var lines []string
	line := mark
	for word := range strings.FieldsSeq(sentence) {
		if len(line)+1+len(word) > width && line != mark {
			lines, line = append(lines, line), mark+indent
		}
		line += " " + word
	}
	return strings.Join(append(lines, line), "\n")
}

func (o object) yaml() *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, field := range o {
		value := yamlOf(field.value)
		if field.comment != "" {
			value.LineComment = "# " + field.comment
		}
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: field.key}, value)
	}
	return node
}

func yamlOf(value any) *yaml.Node {
	switch value := value.(type) {
	case object:
		return value.yaml()
	case list:
		node := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		size := 0
		for _, entry := range value {
			inner := yamlOf(entry)
			if size += len(inner.Value) + 2; inner.Kind != yaml.ScalarNode || size > width-30 {
				node.Style = 0
			}
			node.Content = append(node.Content, inner)
		}
		return node
	case importValue:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!ImportValue", Style: yaml.TaggedStyle, Value: string(value)}
	case string:
		node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		if !safe.MatchString(value) || slices.Contains(words, strings.ToLower(value)) {
			node.Style = yaml.DoubleQuotedStyle
		}
		return node
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(value)}
	}
}

// Texts that every version of YAML reads as text. CloudFormation reads YAML 1.1, in which 1:30 is a
// number and on is true.
var (
	safe  = regexp.MustCompile(`^[A-Za-z](([A-Za-z0-9 ._/-]|::)*[A-Za-z0-9])?$`)
	words = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)

// JSON writes the result as a template.
func (r Result) JSON() (string, error) {
	compact, err := encoded(r.template())
	if err != nil {
		return "", fmt.Errorf("writing the template: %w", err)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, compact, "", "  "); err != nil {
		return "", fmt.Errorf("writing the template: %w", err)
	}
	return text.String() + "\n", nil
}

// encoded returns a value as JSON, without the escapes that HTML needs.
func encoded(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(text.Bytes()), err
}

// MarshalJSON writes the keys in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, field := range o {
		if i > 0 {
			text.WriteByte(',')
		}
		value, err := encoded(field.value)
		if err != nil {
			return nil, err
		}
		text.WriteString(strconv.Quote(field.key) + ":")
		text.Write(value)
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// MarshalJSON writes the intrinsic function in its long form.
func (v importValue) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"Fn::ImportValue": string(v)})
}
