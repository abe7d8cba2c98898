package world

import (
	"encoding/json"
	"reflect"
	"strconv"
	"sync"
)

// printed returns the input of a call as text: JSON without null fields. Equal inputs have equal
// texts. Inputs are printed to order calls of the same instant, which is too often for
// encoding/json.
func printed(input any) string {
	value := reflect.Indirect(reflect.ValueOf(input))
	if !value.IsValid() {
		return "null"
	}
	return string(appendValue(nil, value))
}

func appendValue(to []byte, value reflect.Value) []byte {
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return append(to, "null"...)
		}
		return appendValue(to, value.Elem())
	case reflect.Struct:
		return appendStruct(to, value)
	case reflect.Slice:
		if value.IsNil() {
			return append(to, "null"...)
		}
		to = append(to, '[')
		for i := range value.Len() {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendValue(to, value.Index(i))
		}
		return append(to, ']')
	case reflect.String:
		return appendText(to, value.String())
	case reflect.Bool:
		return strconv.AppendBool(to, value.Bool())
	case reflect.Int32, reflect.Int64, reflect.Int:
		return strconv.AppendInt(to, value.Int(), 10)
	default: // inputs of a Client's calls have no other kinds
		return appendJSON(to, value.Interface())
	}
}

// appendStruct omits the fields without a value.
func appendStruct(to []byte, value reflect.Value) []byte {
	to = append(to, '{')
	empty := true
	for _, one := range exported(value.Type()) {
		field := value.Field(one.place)
		if kind := field.Kind(); (kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map) && field.IsNil() {
			continue
		}
		if !empty {
			to = append(to, ',')
		}
		empty = false
		to = appendValue(append(append(append(to, '"'), one.name...), `":`...), field)
	}
	return append(to, '}')
}

func appendText(to []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendJSON(to, text)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}

func appendJSON(to []byte, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return append(to, err.Error()...)
	}
	return append(to, text...)
}

type exportedField struct {
	place int
	name  string
}

// exportedFields caches the results of exported, by type.
var exportedFields sync.Map

// exported lists the fields of a struct that encoding/json would write.
func exported(shape reflect.Type) []exportedField {
	if known, has := exportedFields.Load(shape); has {
		fields, _ := known.([]exportedField) // nothing else is stored
		return fields
	}
	var fields []exportedField
	for i := range shape.NumField() {
		if field := shape.Field(i); field.IsExported() {
			fields = append(fields, exportedField{place: i, name: field.Name})
		}
	}
	exportedFields.Store(shape, fields)
	return fields
}
