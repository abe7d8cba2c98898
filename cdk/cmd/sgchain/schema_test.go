package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sgchain/cdk/internal/release"
)

func TestSchemaPrintsPublishedFile(t *testing.T) {
	t.Parallel()
	code, out, complaints := runCommand(t, "schema")
	published, err := os.ReadFile(filepath.Join("..", "..", "..", release.Folder, release.Schema))
	if code != 0 || complaints != "" || err != nil || !bytes.Equal([]byte(out), published) {
		t.Errorf("code %d, %d bytes, error %q; published are %d bytes, %v", code, len(out), complaints, len(published), err)
	}
}

func TestSchemaOfTheProperties(t *testing.T) {
	t.Parallel()
	code, out, complaints := runCommand(t, "schema", "--properties")
	var decoded map[string]any
	if err := json.Unmarshal([]byte(out), &decoded); err != nil || code != 0 || complaints != "" {
		t.Fatalf("code %d, %q, %v", code, complaints, err)
	}
	if decoded["properties"] != nil || decoded["definitions"] == nil || strings.Contains(out, `"Resources"`) {
		t.Errorf("it is of more than the properties: %.300s", out)
	}
}

func TestSchemaRefusesArguments(t *testing.T) {
	t.Parallel()
	if code, out, complaints := runCommand(t, "schema", "template.yaml"); code != exitUsage || out != "" || !strings.Contains(complaints, "template.yaml") {
		t.Errorf("code %d, output %q, error %q", code, out, complaints)
	}
}
