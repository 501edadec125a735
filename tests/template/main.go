// Records what Go's text/template makes of templates, for the unit tests of
// core/template: one line of JSON for each case, with the result or the error.
//
//	go run . OUT_FOLDER
//
// Cases come from cases/*.txt and from generators with a fixed seed (random.go), so
// that each run records the same. See README.md.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

type kase struct {
	Template string  `json:"t"`
	Data     string  `json:"d"` // the name of a data set
	Strict   bool    `json:"strict,omitempty"`
	Bytes    bool    `json:"b64,omitempty"` // t and out are base64
	Out      *string `json:"out,omitempty"`
	Err      string  `json:"err,omitempty"`
	Prefix   bool    `json:"prefix,omitempty"` // err is only how the text begins
}

// Where Go quotes a value, the project's error does not: what comes before must agree.
var quotesValue = regexp.MustCompile(`error calling call: non-function |:\d+:\d+: executing \"\w+\" at <.*>: exceeded maximum template depth |range can't iterate over |can't use .* to iterate over more|non-comparable type|` +
	`error calling (atoi|toDecimal|must\w+|fromJson|semver\w*|urlParse|urlJoin|toDate|b32dec|durationRound|htpasswd|regex\w+|round|\w*f): `)

func functions() template.FuncMap {
	m := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(m, name)
	}
	m["toYaml"] = func(v any) string {
		data, err := yaml.Marshal(v)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(data), "\n")
	}
	m["fromYaml"] = func(s string) map[string]any {
		out := map[string]any{}
		if err := yaml.Unmarshal([]byte(s), &out); err != nil {
			out["Error"] = err.Error()
		}
		return out
	}
	return m
}

func dataSets() map[string]any {
	text, err := os.ReadFile("data.json")
	check(err)
	var raw map[string]json.RawMessage
	check(json.Unmarshal(text, &raw))
	sets := map[string]any{}
	for name, value := range raw {
		strs, maps, anys := map[string]string{}, map[string]map[string]string{}, map[string]any{}
		switch {
		case json.Unmarshal(value, &strs) == nil:
			sets[name] = strs
		case json.Unmarshal(value, &maps) == nil:
			sets[name] = maps
		default:
			check(json.Unmarshal(value, &anys))
			sets[name] = anys
		}
	}
	return sets
}

// run gives the case its result. The data is decoded anew, since templates change maps.
func (k *kase) run(set any) {
	t := template.New("k").Funcs(functions())
	if k.Strict {
		t = t.Option("missingkey=error")
	}
	var out bytes.Buffer
	err := func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("PANIC %v", r)
			}
		}()
		if t, err = t.Parse(k.Template); err != nil {
			return err
		}
		return t.Execute(&out, set)
	}()
	if err != nil {
		k.Err = err.Error()
		if at := quotesValue.FindStringIndex(k.Err); at != nil {
			k.Err, k.Prefix = k.Err[:at[0]], true
		}
		return
	}
	text := out.String()
	k.Out = &text
}

const longest = 4000 // of a result that is kept

func (k *kase) plain() bool {
	return utf8.ValidString(k.Template) && utf8.ValidString(k.Err) && (k.Out == nil || utf8.ValidString(*k.Out))
}

func (k kase) line() []byte {
	if !k.plain() {
		k.Bytes = true
		k.Template = base64.StdEncoding.EncodeToString([]byte(k.Template))
		k.Err = base64.StdEncoding.EncodeToString([]byte(k.Err))
		if k.Out != nil {
			text := base64.StdEncoding.EncodeToString([]byte(*k.Out))
			k.Out = &text
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	check(e.Encode(k))
	return b.Bytes()
}

// One template a line, or a Go string literal for what does not fit on one. "@name" chooses
// the data, "@name strict" with missingkey=error.
func read(path string) []kase {
	text, err := os.ReadFile(path)
	check(err)
	var all []kase
	current := kase{Data: "strings"}
	for _, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "@"):
			words := strings.Fields(line[1:])
			current = kase{Data: words[0], Strict: len(words) > 1}
		default:
			k := current
			k.Template = line
			if line[0] == '"' && line[len(line)-1] == '"' {
				k.Template, err = strconv.Unquote(line)
				check(err)
			}
			all = append(all, k)
		}
	}
	return all
}

func write(path string, cases []kase) {
	var b bytes.Buffer
	seen := map[string]bool{}
	for _, k := range cases {
		k.run(dataSets()[k.Data])
		if strings.HasPrefix(k.Err, "PANIC") || seen[k.Template+k.Data] ||
			k.Out != nil && len(*k.Out) > longest {
			continue
		}
		seen[k.Template+k.Data] = true
		b.Write(k.line())
	}
	check(os.WriteFile(path, b.Bytes(), 0o644))
	fmt.Printf("%s: %d cases\n", filepath.Base(path), len(seen))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . OUT_FOLDER")
		os.Exit(2)
	}
	files, err := filepath.Glob("cases/*.txt")
	check(err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		write(filepath.Join(os.Args[1], name+".jsonl"), append(read(file), random(name)...))
	}
}
