package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sgchain/cdk/sgchain"
)

// TestRoleAllowsCalledActions checks the role's actions against the interfaces that list the
// Lambda's calls.
func TestRoleAllowsCalledActions(t *testing.T) {
	actions, err := called(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(slices.Concat(actions, runtimeActions)))
	if got := sgchain.Actions(); !slices.Equal(got, want) {
		t.Errorf("the role allows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMethodsOfAPI(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.go")
	write := func(text string) {
		if err := os.WriteFile(path, []byte("package sg\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("type Other interface{ C() }\ntype API interface {\n\tB(int) error\n\tA()\n}\nfunc (x) D() {}\n")
	if got, err := methodsOfAPI(path); err != nil || !slices.Equal(got, []string{"B", "A"}) {
		t.Errorf("methods: got %v, error %v", got, err)
	}
	write("type API struct{}\n")
	if got, err := methodsOfAPI(path); err == nil {
		t.Errorf("an API without methods was accepted: %v", got)
	}
}

func TestReadSymbols(t *testing.T) {
	const sdk = "github.com/aws/aws-sdk-go-v2/service/"
	actions, forbidden := read([]string{
		sdk + "ec2.(*Client).CreateTags", sdk + "ec2.(*Client).CreateTags.func1", sdk + "ec2.(*Client).invokeOperation",
		sdk + "ec2.(*Client).Options", sdk + "ec2.(*DescribeSecurityGroupsPaginator).NextPage", sdk + "ec2.(*Client).CreateTags",
		sdk + "cloudformation.(*Client).DescribeStacks", "net/rpc.(*Client).Call", "net/rpc.init", "nettext/template.x",
	})
	if want := []string{"cloudformation:DescribeStacks", "ec2:CreateTags"}; !slices.Equal(actions, want) {
		t.Errorf("actions: got %v, want %v", actions, want)
	}
	if want := []string{"net/rpc"}; !slices.Equal(forbidden, want) {
		t.Errorf("forbidden: got %v, want %v", forbidden, want)
	}
}

func TestVerdict(t *testing.T) {
	good := func() report {
		return report{
			sizes:   []measured{{what: "bootstrap", bytes: 10, limit: 10}},
			called:  []string{"ec2:A", "ec2:B"},
			linked:  []string{"ec2:A", "ec2:B"},
			allowed: slices.Concat([]string{"ec2:A", "ec2:B"}, runtimeActions),
		}
	}
	if err := good().verdict(); err != nil {
		t.Errorf("a good report: %v", err)
	}
	tests := map[string]struct {
		change func(*report)
		want   string
	}{
		"too large":          {func(r *report) { r.sizes[0].bytes = 1011 }, "bootstrap has 1,011 bytes, 1,001 over its limit"},
		"forbidden package":  {func(r *report) { r.forbidden = []string{"text/template"} }, "package text/template is linked"},
		"not linked":         {func(r *report) { r.linked = r.linked[:1] }, "ec2:B is in an interface API, but nothing calls it"},
		"linked, not called": {func(r *report) { r.linked = append(r.linked, "ec2:C") }, "ec2:C is in the binary, but in no interface API"},
		"not allowed":        {func(r *report) { r.allowed = r.allowed[1:] }, "ec2:A is called, but the role does not allow it"},
		"allowed for nothing": {
			func(r *report) { r.allowed = append(r.allowed, "ec2:RunInstances") },
			"ec2:RunInstances is allowed by the role, but nothing calls it",
		},
		"no log": {func(r *report) { r.allowed = r.allowed[:3] }, "logs:PutLogEvents is not allowed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := good()
			test.change(&r)
			err := r.verdict()
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want only %q", err, test.want)
			}
		})
	}
}

func TestPrint(t *testing.T) {
	var text strings.Builder
	r := report{
		sizes:  []measured{{what: "bootstrap, arm64", bytes: 8_000_000, limit: 8_500_000}},
		called: []string{"ec2:A"}, allowed: runtimeActions,
	}
	if err := r.print(&text); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"  bootstrap, arm64  8,000,000  8,500,000  94.1 %",
		"ec2:A                 yes     -       -",
		"logs:PutLogEvents     -       -       yes",
	} {
		if !slices.Contains(strings.Split(text.String(), "\n"), line) {
			t.Errorf("no line %q in\n%s", line, text.String())
		}
	}
}
