package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"sgchain/cdk/bootstrap"
	"sgchain/cdk/sgchain"
)

// newVPC is the value of vpcId for a new VPC.
const newVPC = "new"

var (
	vpcID = regexp.MustCompile(`^vpc-[0-9a-z]+$`)
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-using-console-create-stack-parameters.html
	stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)
)

// settings is the checked context of the app, which -c sets.
type settings struct {
	stackName    string
	vpcID        string // or newVPC
	architecture string // Go's name
	tiers        []sgchain.Tier
	guardrails   sgchain.GuardrailMode
}

// readSettings reads the app's context. A value from -c is a string, one from cdk.json any JSON value.
func readSettings(lookUp func(key string) any) (settings, error) {
	s := settings{architecture: bootstrap.Architectures()[0], stackName: defaultStackName}
	if value := lookUp("stackName"); value != nil {
		s.stackName = fmt.Sprint(value)
	}
	if !stackName.MatchString(s.stackName) {
		return settings{}, fmt.Errorf("reading -c stackName: %q is not a stack name. Use at most 128 letters, digits and hyphens, a letter first, for example -c stackName=Shop.", s.stackName)
	}
	switch value := lookUp("vpcId").(type) {
	case nil:
		return settings{}, errors.New("reading -c vpcId: the VPC is missing. Use -c vpcId=vpc-0123456789abcdef0 with the VPC of the security groups, or -c vpcId=new for a new VPC.")
	case string:
		s.vpcID = value
	}
	if s.vpcID != newVPC && !vpcID.MatchString(s.vpcID) {
		return settings{}, fmt.Errorf("reading -c vpcId: %q is not a VPC ID. Use -c vpcId=vpc-0123456789abcdef0, or -c vpcId=new for a new VPC.", fmt.Sprint(lookUp("vpcId")))
	}
	if value := lookUp("arch"); value != nil {
		s.architecture = fmt.Sprint(value)
		if err := bootstrap.CheckArchitecture(s.architecture); err != nil {
			return settings{}, fmt.Errorf("reading -c arch: %w", err)
		}
	}
	if value := lookUp("guardrails"); value != nil {
		s.guardrails = sgchain.GuardrailMode(fmt.Sprint(value))
	}
	if value := lookUp("tiers"); value != nil && value != "" {
		text, isText := value.(string)
		if !isText {
			encoded, err := json.Marshal(value)
			if err != nil {
				return settings{}, fmt.Errorf("reading -c tiers: %w", err)
			}
			text = string(encoded)
		}
		tiers, err := sgchain.TiersFromJSON(text)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			// The CDK CLI drops everything after the first line of a -c value.
			return settings{}, fmt.Errorf("reading -c tiers: %w. Write the list on one line: the CDK CLI drops the others.", err)
		}
		if err != nil {
			return settings{}, fmt.Errorf("reading -c tiers: %w", err)
		}
		s.tiers = tiers
	}
	return s, nil
}
