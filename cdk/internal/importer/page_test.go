package importer_test

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/cdk/internal/importer"
	"sgchain/lambda/inventory"
)

// TestPageShowsImportOutput imports the groups of docs/import.md.
func TestPageShowsImportOutput(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "   ```yaml\n")
	shown, _, _ := strings.Cut(rest, "   ```\n")
	api := fake{[]types.SecurityGroup{
		group(albID, "shop-alb-sg", "made by hand", ranges(ports("tcp", 443, 443), "", "0.0.0.0/0")),
		group(appID, "shop-app-sg", "made by hand", pair(ports("tcp", 6060, 6060), albID, "111122223333"), ranges(ports("tcp", 22, 22), "office", "203.0.113.0/24")),
	}}
	result := imported(t, api, importer.Options{Selection: inventory.Selection{IDs: []string{albID, appID}}})
	written, err := result.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll("\n"+shown, "\n   ", "\n")[1:]; got != written {
		t.Errorf("the page shows\n%s\nand the command writes\n%s", got, written)
	}
	for _, note := range append(result.Notes(), result.Proof()) {
		if !strings.Contains(string(page), note+"\n   ") {
			t.Errorf("the page does not have %q", note)
		}
	}
}
