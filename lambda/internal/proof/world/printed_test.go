package world

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"regexp"
	"testing"
)

// TestPrinted compares printed with JSON without nulls, for inputs of every call with random
// fields.
func TestPrinted(t *testing.T) {
	t.Parallel()
	nulls := regexp.MustCompile(`"[A-Za-z0-9]+":null,?|,"[A-Za-z0-9]+":null`)
	r := rand.New(rand.NewPCG(1, 2))
	client := reflect.TypeFor[*Client]()
	count := 0
	for method := range client.Methods() {
		if method.Type.NumIn() < 3 || shapes[method.Name+"Input"] == "" {
			continue
		}
		count++
		for range 200 {
			input := reflect.New(method.Type.In(2).Elem())
			fill(r, input.Elem())
			text, err := json.Marshal(input.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if want, got := nulls.ReplaceAllString(string(text), ""), printed(input.Interface()); got != want {
				t.Fatalf("%s is printed as\n%s\nwant\n%s", method.Name, got, want)
			}
		}
	}
	if count < 15 {
		t.Errorf("only %d operations were checked", count)
	}
}

// fill sets every field to a random value, or leaves it empty.
func fill(r *rand.Rand, value reflect.Value) {
	switch value.Kind() {
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			value.Set(reflect.New(value.Type().Elem()))
			fill(r, value.Elem())
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() {
				fill(r, value.Field(i))
			}
		}
	case reflect.Slice:
		if size := r.IntN(4); size > 0 {
			value.Set(reflect.MakeSlice(value.Type(), size-1, size-1))
		}
		for i := range value.Len() {
			fill(r, value.Index(i))
		}
	case reflect.String:
		texts := []string{"", "sg-1", `a "b" \ <&>`, "é\n\u2028", "443", `"null":null,`}
		value.SetString(texts[r.IntN(len(texts))])
	case reflect.Bool:
		value.SetBool(r.IntN(2) == 0)
	case reflect.Int32:
		value.SetInt(int64(r.IntN(5) - 2))
	default:
		panic("an input has a " + value.Type().String())
	}
}
