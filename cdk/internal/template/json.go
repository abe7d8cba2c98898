package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"unicode/utf8"
)

// jsonReader turns JSON into nodes. It tracks positions itself: a YAML reader accepts JSON, but
// refuses tabs and reads some escapes differently.
type jsonReader struct {
	text    []byte
	lines   []int // where each line begins
	decoder *json.Decoder
	remarks remarks
}

// readJSON returns the one value of a text.
func readJSON(text []byte) (*node, remarks, error) {
	reader := &jsonReader{text: text, lines: []int{0}, decoder: json.NewDecoder(bytes.NewReader(text))}
	reader.decoder.UseNumber()
	for i, one := range text {
		if one == '\n' {
			reader.lines = append(reader.lines, i+1)
		}
	}
	read, err := reader.value(1)
	if err != nil {
		return nil, remarks{}, reader.problem(err)
	}
	at := reader.next()
	if _, err := reader.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, remarks{}, &Error{At: at, Problem: "is not valid JSON: text follows the end of the template"}
	}
	return read, reader.remarks, nil
}

// problem adds the position to an error of the decoder.
func (r *jsonReader) problem(err error) error {
	if _, isPlaced := errors.AsType[*Error](err); isPlaced {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{At: r.position(len(r.text)), Problem: "is not valid JSON: it ends too early"}
	}
	return &Error{At: r.next(), Problem: "is not valid JSON: " + err.Error()}
}

// position returns the position of a byte.
func (r *jsonReader) position(offset int) Position {
	offset = min(offset, len(r.text))
	line := sort.SearchInts(r.lines, offset+1)
	return Position{line, utf8.RuneCount(r.text[r.lines[line-1]:offset]) + 1}
}

// next returns the position of the next token.
func (r *jsonReader) next() Position {
	offset := int(r.decoder.InputOffset())
	for offset < len(r.text) && bytes.IndexByte([]byte(" \t\r\n,:"), r.text[offset]) >= 0 {
		offset++
	}
	return r.position(offset)
}

func (r *jsonReader) value(depth int) (*node, error) {
	read := &node{at: r.next()}
	if depth > maxDepth {
		return nil, &Error{At: read.at, Problem: fmt.Sprintf("is nested more than %d levels deep. Reduce the nesting", maxDepth)}
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		read.kind = list
		for r.decoder.More() {
			item, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			read.items = append(read.items, item)
		}
		_, err = r.decoder.Token()
	case json.Delim('{'):
		read.kind = object
		read.pairs, err = r.pairs(depth)
	default:
		read.kind, read.value = scalar, token
	}
	if err != nil {
		return nil, err
	}
	return read, read.measure()
}

func (r *jsonReader) pairs(depth int) ([]pair, error) {
	var own entries
	for r.decoder.More() {
		at := r.next()
		key, err := r.decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		name, isText := key.(string)
		if !isText {
			return nil, &Error{At: at, Problem: "is a key that is not text"}
		}
		own.add(pair{key: name, at: at, node: value}, &r.remarks.twice)
	}
	_, err := r.decoder.Token()
	return own.pairs, err
}
