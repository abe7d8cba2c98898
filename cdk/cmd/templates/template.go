package main

// object is a map of a template, as decoded from JSON.
type object = map[string]any

// list is a list of a template.
type list = []any

// template is a published template.
type template struct {
	description string
	groups      []group
	rules       object
	conditions  object
	resources   object
	outputs     object
}

// group is a set of parameters under one heading of the console's form.
type group struct {
	label      string
	parameters []parameter
}

// parameter is one field of the form: its name, its label, and the values that it accepts.
type parameter struct {
	name, label string
	definition  object
}

// whole returns the template as CloudFormation reads it.
func (t template) whole() object {
	parameters, labels, groups := object{}, object{}, list{}
	for _, group := range t.groups {
		names := list{}
		for _, one := range group.parameters {
			parameters[one.name] = one.definition
			labels[one.name] = object{"default": one.label}
			names = append(names, one.name)
		}
		groups = append(groups, object{"Label": object{"default": group.label}, "Parameters": names})
	}
	all := object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              t.description,
		"Metadata":                 object{"AWS::CloudFormation::Interface": object{"ParameterGroups": groups, "ParameterLabels": labels}},
		"Parameters":               parameters,
		"Resources":                t.resources,
		"Outputs":                  t.outputs,
	}
	if len(t.conditions) > 0 {
		all["Conditions"] = t.conditions
	}
	if len(t.rules) > 0 {
		all["Rules"] = t.rules
	}
	return all
}

func ref(name string) object { return object{"Ref": name} }

func sub(text string) object { return object{"Fn::Sub": text} }

func getAtt(resource, attribute string) object {
	return object{"Fn::GetAtt": list{resource, attribute}}
}

func ifElse(condition string, then, otherwise any) object {
	return object{"Fn::If": list{condition, then, otherwise}}
}

func noValue() object { return ref("AWS::NoValue") }

func join(delimiter string, values any) object {
	return object{"Fn::Join": list{delimiter, values}}
}

func equals(a, b any) object { return object{"Fn::Equals": list{a, b}} }

func not(condition object) object { return object{"Fn::Not": list{condition}} }

func output(description string, value any) object {
	return object{"Description": description, "Value": value}
}

// conditional returns an output or resource that exists only under a condition.
func conditional(condition string, one object) object {
	one["Condition"] = condition
	return one
}
