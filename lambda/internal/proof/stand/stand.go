// Package stand runs the product on one machine. MiniStack is CloudFormation, Lambda and EC2, the
// real CDK CLI deploys to it, and the package reads the security groups back from EC2. The demo
// and the end-to-end tests use it. The Lambda never imports it, and it shares no code with the
// Lambda, so that its reading is an independent check.
package stand

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	// AccountID is MiniStack's account.
	AccountID = "000000000000"
	// Region is MiniStack's Region.
	Region = "us-east-1"
	// StackName is the stack of the CDK app.
	StackName = "SecurityGroupChain"
	// BootstrapStackName is the stack that cdk bootstrap creates.
	BootstrapStackName = "CDKToolkit"
)

// Root returns the repository's folder: the nearest folder with a go.mod at or above the working
// directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("finding the repository: %w", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the repository: no go.mod at or above the working directory")
		}
		dir = parent
	}
}
