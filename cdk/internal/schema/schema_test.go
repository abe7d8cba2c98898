package schema_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"sgchain/cdk/internal/release"
	"sgchain/cdk/internal/schema"
	"sgchain/lambda/chain"
)

const root = "../../.."

// compiled compiles a schema from its text.
func compiled(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", decoded); err != nil {
		t.Fatal(err)
	}
	result, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestTextMatchesSchema checks that the texts are chain's schemas, in ASCII, and the same each
// time.
func TestTextMatchesSchema(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct {
		write func() ([]byte, error)
		want  map[string]any
	}{"template": {schema.Template, chain.Schema()}, "properties": {schema.Properties, chain.PropertiesSchema()}} {
		text, err := of.write()
		again, errAgain := of.write()
		if err != nil || errAgain != nil || !bytes.Equal(text, again) {
			t.Fatalf("%s: %v, %v, or two texts", name, err, errAgain)
		}
		if odd := regexp.MustCompile(`[^\n -~]`).Find(text); odd != nil {
			t.Errorf("%s has %q", name, odd)
		}
		plain, err := json.Marshal(of.want)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the text is another schema than that of chain", name)
		}
	}
}

// TestPublishedTemplates checks that the published templates satisfy the published schema.
func TestPublishedTemplates(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, release.Folder, release.Schema))
	if err != nil {
		t.Fatal(err)
	}
	published := compiled(t, text)
	chains := 0
	for _, name := range release.Templates() {
		content, err := os.ReadFile(filepath.Join(root, release.Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if err := published.Validate(instance); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		chains += bytes.Count(content, []byte(`"Type": "`+chain.ResourceType+`"`))
		// The same templates with an unknown key, to prove that the schema reads them.
		wrong := bytes.Replace(content, []byte(`"VpcId": {`), []byte(`"VpcID": {`), -1)
		if instance, err = jsonschema.UnmarshalJSON(bytes.NewReader(wrong)); err != nil {
			t.Fatal(err)
		}
		if has := bytes.Contains(content, []byte(`"Type": "`+chain.ResourceType+`"`)); (published.Validate(instance) != nil) != has {
			t.Errorf("%s with VpcID: has a chain: %t, validates: %t", name, has, !has)
		}
	}
	if chains != 3 {
		t.Errorf("found %d chains, want 3", chains)
	}
}

// TestExamplesInTheDocs checks every template with a chain, and every list of tiers, in the docs.
func TestExamplesInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := schema.Template()
	if err != nil {
		t.Fatal(err)
	}
	whole := compiled(t, text)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	templates, lists := 0, 0
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
			if !strings.Contains(block[1], "Type: "+chain.ResourceType) {
				continue
			}
			var document yaml.Node
			if err := yaml.Unmarshal([]byte(block[1]), &document); err != nil {
				t.Fatalf("%s: %v", page, err)
			}
			templates++
			if err := whole.Validate(plain(t, document.Content[0])); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block[1])
			}
		}
		for _, list := range regexp.MustCompile("(?s)\\[{\"Name\".*?}\\]['`]").FindAllString(string(content), -1) {
			lists++
			tiers, err := jsonschema.UnmarshalJSON(strings.NewReader(list[:len(list)-1]))
			if err != nil {
				t.Fatalf("%s: %s: %v", page, list, err)
			}
			resource := map[string]any{"Type": chain.ResourceType, "Properties": map[string]any{"VpcId": "vpc-1", "Tiers": tiers}}
			if err := whole.Validate(map[string]any{"Resources": map[string]any{"Chain": resource}}); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if templates < 2 || lists < 3 {
		t.Errorf("found %d templates and %d lists of tiers", templates, lists)
	}
}

// plain returns a node of YAML as JSON has it, with the short forms of functions expanded.
func plain(t *testing.T, node *yaml.Node) any {
	t.Helper()
	if tag := node.Tag; strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		bare := *node
		bare.Tag = map[yaml.Kind]string{yaml.ScalarNode: "!!str", yaml.SequenceNode: "!!seq", yaml.MappingNode: "!!map"}[node.Kind]
		name := "Fn::" + tag[1:]
		if tag == "!Ref" {
			name = "Ref"
		}
		return map[string]any{name: plain(t, &bare)}
	}
	switch node.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			object[node.Content[i].Value] = plain(t, node.Content[i+1])
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, one := range node.Content {
			list = append(list, plain(t, one))
		}
		return list
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode:
	}
	var value any
	if err := node.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
