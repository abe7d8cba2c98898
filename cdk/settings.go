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

// newVPC is the value of vpcId that asks for a VPC.
const newVPC = "new"

var (
	vpcID = regexp.MustCompile(`^vpc-[0-9a-z]+$`)
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-using-console-create-stack-parameters.html
	stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)
)

// settings is what the app was told by -c, checked.
type settings struct {
	stackName    string
	vpcID        string // or newVPC
	architecture string // as Go names it
	tiers        []sgchain.Tier
	guardrails   sgchain.GuardrailMode
}

// readSettings takes settings from the app's context, where each is text after -c
// and any JSON value in cdk.json.
func readSettings(lookUp func(key string) any) (settings, error) {
	s := settings{architecture: bootstrap.Architectures()[0], stackName: defaultStackName}
	if value := lookUp("stackName"); value != nil {
		s.stackName = fmt.Sprint(value)
	}
	if !stackName.MatchString(s.stackName) {
		return settings{}, fmt.Errorf("stackName %q is no stack name: write -c stackName=Shop, letters, digits and hyphens, a letter first, at most 128", s.stackName)
	}
	switch value := lookUp("vpcId").(type) {
	case nil:
		return settings{}, errors.New("vpcId is missing: write -c vpcId=vpc-0123456789abcdef0, the VPC that the security groups belong to, or -c vpcId=new for a new one")
	case string:
		s.vpcID = value
	}
	if s.vpcID != newVPC && !vpcID.MatchString(s.vpcID) {
		return settings{}, fmt.Errorf("vpcId %q is not a VPC ID: write -c vpcId=vpc-0123456789abcdef0, or -c vpcId=new for a new VPC", fmt.Sprint(lookUp("vpcId")))
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
			// The CLI drops what follows the first line of a -c value.
			return settings{}, fmt.Errorf("reading -c tiers: %w; write the list in one line, the CDK CLI passes on no more", err)
		}
		if err != nil {
			return settings{}, fmt.Errorf("reading -c tiers: %w", err)
		}
		s.tiers = tiers
	}
	return s, nil
}
