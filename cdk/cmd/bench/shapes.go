package main

import (
	"fmt"
	"strconv"
	"strings"
)

// shape is a kind of properties designed to cause much work, by what it has many of.
type shape struct {
	name string
	// before, form and after are JSON: form is repeated, with its number for #.
	before, form, after string
	// isText repeats form as it is, without separators.
	isText bool
}

// perGroup returns a list of n forms, with the number for @.
func perGroup(n int, form string) string {
	list := make([]string, 0, n)
	for i := range n {
		list = append(list, strings.ReplaceAll(form, "@", strconv.Itoa(i)))
	}
	return strings.Join(list, ",")
}

// hostile returns the shapes: entries, peers, tiers, tags, descriptions and problems.
func hostile() []shape {
	full := `{"Ports":[` + perGroup(44, "1@") + `],"Sources":[` + perGroup(44, `"10.@.0.0/16"`) + `]}`
	inTier := func(name, before, form, after string) shape {
		return shape{name: name, before: `"Tiers":[{"Name":"A",` + before, form: form, after: after + `}]`}
	}
	inText := func(name, before, form, after string) shape {
		return shape{name: name, before: before, form: form, after: after, isText: true}
	}
	return []shape{
		inTier("entries", `"Ingress":[`, `{"Ports":#,"Sources":"vpc"}`, `]`),
		inTier("entries, all the same", `"Ingress":[`, `{"Ports":80,"Sources":"vpc"}`, `]`),
		inTier("entries with descriptions", `"Ingress":[`, `{"Ports":80,"Sources":"vpc","Description":"#"}`, `]`),
		inTier("entries of 1,936 rules", `"Ingress":[`, full, `]`),
		inTier("entries of egress", `"Egress":[`, `{"Ports":"all","Destinations":"10.#.0.0/16"}`, `]`),
		inTier("peers", `"Ports":80,"Sources":[`, `"sg-0#"`, `]`),
		inTier("peers, unknown", `"Ports":80,"Sources":[`, `"nobody#"`, `]`),
		inTier("peers, addresses", `"Ports":80,"Sources":[`, `"2001:db8:#::/64"`, `]`),
		inText("peers, a long one", `"Tiers":[{"Name":"A","Ports":80,"Sources":"`, `s`, `"}]`),
		inTier("ports", `"Ports":[`, `#`, `]`),
		{name: "tiers", before: `"Tiers":[`, form: `{"Name":"T#","Ports":80}`, after: `]`},
		{name: "tiers, all the same", before: `"Tiers":[`, form: `{"Name":"T"}`, after: `]`},
		{name: "tiers of 1,936 rules", before: `"Tiers":[`, form: `{"Name":"T#","Ingress":[` + full + `]}`, after: `]`},
		{name: "tiers in a text", before: `"Tiers":"[`, form: `{\"Name\":\"T#\"}`, after: `]"`},
		inText("tiers, lists in lists", `"Tiers":"`, `[`, `"`),
		{name: "tags", before: `"Tags":{`, form: `"k#":"v"`, after: `}`},
		{name: "tags in a list", before: `"Tags":[`, form: `{"Key":"k","Value":"#"}`, after: `]`},
		inTier("tags of a tier", `"Tags":{`, `"k#":"v"`, `}`),
		inText("descriptions", `"Tiers":[{"Name":"A","Description":"`, `a`, `"}]`),
		inText("descriptions, quotes", `"Tiers":[{"Name":"A","Description":"`, `\"`, `"}]`),
		{name: "descriptions of tiers", before: `"Tiers":[`, form: `{"Name":"T#","Description":"a unique one: #"}`, after: `]`},
		inText("names", `"Tiers":[{"Name":"`, `a`, `"}]`),
		{name: "problems, unknown keys", before: `"Tiers":[{"Name":"A","Ports":80}],`, form: `"k#":1`},
		inText("problems, an unknown key", `"`, `k`, `":1`),
		inTier("problems, bad ports", `"Ports":[`, `"x#"`, `]`),
		{name: "problems, bad tiers", before: `"Tiers":[`, form: `{"Name":#,"Ports":"x","Egress":7}`, after: `]`},
		{name: "problems, families", before: `"IpFamilies":[`, form: `"ipv#"`, after: `]`},
	}
}

// event returns the shape between a head and a tail, in a number of bytes. Blanks, which JSON
// allows at its end, fill a rest that is too small for another form.
func (s shape) event(size int, head, tail string) (string, error) {
	var text strings.Builder
	text.WriteString(head + s.before)
	end := s.after + tail
	for n := 0; ; n++ {
		form := s.form
		if !s.isText {
			form = strings.ReplaceAll(form, "#", strconv.Itoa(n))
			if n > 0 {
				form = "," + form
			}
		}
		if text.Len()+len(form)+len(end) > size {
			break
		}
		text.WriteString(form)
	}
	text.WriteString(end)
	if text.Len() > size {
		return "", fmt.Errorf("creating an event (%s): %d bytes are too few", s.name, size)
	}
	return text.String() + strings.Repeat(" ", size-text.Len()), nil
}
