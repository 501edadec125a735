package main

import (
	"fmt"
	"math/rand"
	"strings"
)

// Templates nobody thought of, from a fixed seed.
func random(file string) []kase {
	r := rand.New(rand.NewSource(20))
	switch file {
	case "language":
		return append(mutations(r, 500), many(r, 500, structure)...)
	case "printf":
		return many(r, 900, format)
	}
	if words, ok := calls[file]; ok {
		return many(r, 700, func(r *rand.Rand) string { return "{{ " + call(r, words, 2) + " }}" })
	}
	return nil
}

func many(r *rand.Rand, count int, make func(*rand.Rand) string) []kase {
	all := []kase{}
	for i := 0; i < count; i++ {
		k := kase{Template: make(r), Data: pick(r, "strings", "any", "any", "nested")}
		k.Strict = r.Intn(3) == 0
		all = append(all, k)
	}
	return all
}

func pick(r *rand.Rand, words ...string) string { return words[r.Intn(len(words))] }

// Seeds with a few bytes changed: mostly parse errors.
func mutations(r *rand.Rand, count int) []kase {
	seeds := read("cases/language.txt")
	pieces := []string{"{{", "}}", "(", ")", "|", ".", "$", "$x", ":=", "=", ",", "\"", "`", "'", " ", "-", "- ", " -",
		"end", "else", "if", "range", "define", "nil", "true", "0x", "1e", "/*", "*/", "é", "\xff", "\\", "\n", "9", "_", "@"}
	all := []kase{}
	for i := 0; i < count; i++ {
		k := seeds[r.Intn(len(seeds))]
		b := k.Template
		for n := 1 + r.Intn(3); n > 0; n-- {
			at := r.Intn(len(b) + 1)
			cut := at + r.Intn(4)
			if cut > len(b) || r.Intn(2) == 0 {
				cut = at
			}
			b = b[:at] + pick(r, pieces...) + b[cut:]
		}
		k.Template = b
		all = append(all, k)
	}
	return all
}

func literal(r *rand.Rand) string {
	return pick(r, "1", "0", "-7", "42", "3.5", "-0.25", "1e6", "0x1F", "'a'", "true", "false", "nil", `"x"`, `"héllo"`, `""`,
		`"a b"`, "`raw`", ".", ".a", ".b", ".n", ".list", ".map", ".f", ".none", ".t", "$", "$.a", ".map.k", ".missing", `"12"`, "(list 1 2)",
		`(list "b" "a")`, `(dict "k" 1)`, "(len .)", "1000000", "-1")
}

func structure(r *rand.Rand) string {
	e := func() string { return expression(r, 2) }
	switch r.Intn(9) {
	case 0:
		return fmt.Sprintf("{{ if %s }}T{{ else if %s }}U{{ else }}F{{ end }}", e(), e())
	case 1:
		return fmt.Sprintf("{{ range $i, $e := %s }}{{ $i }}={{ $e }};{{ else }}none{{ end }}", e())
	case 2:
		return fmt.Sprintf("{{ with $x := %s }}{{ $x }}|{{ . }}{{ else }}none{{ end }}", e())
	case 3:
		return fmt.Sprintf("{{ $x := %s }}{{ $y := %s }}{{ if eq $x $y }}same{{ end }}{{ $x = %s }}{{ $x }}", e(), e(), e())
	case 4:
		return fmt.Sprintf("{{ range %s }}{{ if eq . %s }}{{ break }}{{ end }}{{ . }},{{ end }}", e(), e())
	case 5:
		return fmt.Sprintf("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" %s }}", e())
	case 6:
		return fmt.Sprintf("  {{- %s -}}  x", e())
	case 7:
		return fmt.Sprintf("{{ %s %s (%s) }}", pick(r, "eq", "ne", "lt", "le", "gt", "ge", "index", "and", "or", "printf \"%v %v\""), literal(r), e())
	}
	return "{{ " + e() + " }}"
}

func expression(r *rand.Rand, depth int) string {
	if depth == 0 || r.Intn(4) == 0 {
		return literal(r)
	}
	switch r.Intn(6) {
	case 0:
		return fmt.Sprintf("(%s)", expression(r, depth-1))
	case 1:
		return fmt.Sprintf("%s | %s", expression(r, depth-1), pick(r, "len", "not", "print", "printf \"%v\"", "index .list", "html", "js", "urlquery"))
	case 2:
		return fmt.Sprintf("(%s).%s", expression(r, depth-1), pick(r, "k", "a", "missing"))
	}
	name := pick(r, "and", "or", "not", "eq", "ne", "lt", "gt", "index", "len", "print", "println", "printf \"%d\"", "html", "js", "urlquery", "call")
	parts := []string{name}
	for n := r.Intn(3) + r.Intn(2); n > 0; n-- {
		a := literal(r)
		if r.Intn(3) == 0 {
			a = "(" + expression(r, depth-1) + ")"
		}
		parts = append(parts, a)
	}
	return strings.Join(parts, " ")
}

func format(r *rand.Rand) string {
	f := ""
	args := []string{}
	for n := 1 + r.Intn(3); n > 0; n-- {
		f += pick(r, "", "", "a ", "é") + "%" + pick(r, "", "", "-", "+", "#", "0", " ", "#0", "+-", "-0", "# ", "+#", "+0")
		f += pick(r, "", "", "", "5", "12", "1", "*", "[1]", "[2]*[1]")
		f += pick(r, "", "", "", ".2", ".0", ".", ".5", ".*", ".[1]", ".12")
		f += pick(r, "v", "v", "d", "s", "q", "x", "X", "f", "e", "g", "G", "E", "F", "t", "T", "c", "U", "o", "O", "b", "%", "z", "é", "p", "w")
		if r.Intn(8) != 0 {
			args = append(args, pick(r, literal(r), "12345678", "-5", "0.000012", "123456789.125", "1e21", "2.5", "\"日本\"", ".map", ".list", "8364", "nil", "(len .a)"))
		}
	}
	if strings.Contains(f, "p") {
		f = strings.ReplaceAll(f, "p", "v")
	}
	if r.Intn(10) == 0 {
		args = append(args, literal(r))
	}
	return fmt.Sprintf("{{ printf %q %s }}", f, strings.Join(args, " "))
}

// name -> the kinds of its arguments, for files of functions: see literalOf.
var calls = map[string][]string{
	"strings": {"trim s", "trimAll s s", "trimPrefix s s", "trimSuffix s s", "hasPrefix s s", "hasSuffix s s", "contains s s", "replace s s s",
		"repeat i s", "quote a a", "squote a s", "cat a a s", "toString a", "plural s s i", "toStrings l", "sortAlpha l", "join s l", "splitList s s",
		"split s s", "splitn s i s", "substr i i s", "trunc i s", "abbrev i s", "abbrevboth i i s", "indent i s", "nindent i s", "wrap i s",
		"wrapWith i s s", "upper s", "lower s", "title s", "untitle s", "swapcase s", "snakecase s", "camelcase s", "kebabcase s", "sortAlpha a"},
	"lists": {"list a a a", "first l", "last l", "rest l", "initial l", "append l a", "prepend l a", "reverse l", "uniq l", "compact l", "without l a a",
		"has a l", "slice l i i", "slice l i", "concat l l", "chunk i l", "mustFirst a", "mustAppend a a", "dict s a s a", "get m s", "set m s a", "unset m s",
		"hasKey m s", "pluck s m m", "sortAlpha (keys m)", "pick m s s", "omit m s", "merge m m", "mergeOverwrite m m", "deepCopy a", "dig s s a m",
		"default a a", "empty a", "coalesce a a a", "all a a", "any a a", "ternary a a b", "typeOf a", "typeIs s a", "typeIsLike s a", "kindOf a", "kindIs s a",
		"deepEqual a a", "first m", "join s l", "toJson l", "toJson m"},
	"math": {"int n", "int64 n", "float64 n", "atoi s", "toDecimal n", "add n n n", "add1 n", "sub n n", "mul n n n", "div n n", "mod n n", "max n n n", "min n n",
		"biggest n", "until i", "untilStep i i i", "seq i", "seq i i", "seq i i i", "addf n n", "add1f n", "subf n n", "mulf n n", "divf n n", "maxf n n", "minf n n",
		"ceil n", "floor n", "round n i"},
	"regex": {"regexMatch r s", "mustRegexMatch r s", "regexFind r s", "mustRegexFind r s", "regexFindAll r s i", "regexReplaceAll r s s", "regexReplaceAllLiteral r s s",
		"regexSplit r s i", "regexQuoteMeta s", "base p", "dir p", "ext p", "clean p", "isAbs p"},
	"encode": {"b64enc s", "b64dec s", "b32enc s", "b32dec s", "sha1sum s", "sha256sum s", "sha512sum s", "adler32sum s", "fromJson j", "mustFromJson j",
		"toJson a", "toPrettyJson a", "toRawJson a", "toJson (fromJson j)", "toPrettyJson (fromJson j)", "b64dec (b64enc s)", "b32dec (b32enc s)", "toYaml a",
		"toYaml (fromJson j)", "toJson l", "toPrettyJson m", "toYaml m", "toYaml s"},
}

func call(r *rand.Rand, words []string, depth int) string {
	parts := strings.Fields(words[r.Intn(len(words))])
	for i, kind := range parts[1:] {
		if closing := strings.TrimRight(kind, ")"); closing != kind {
			parts[i+1] = literalOf(r, closing) + kind[len(closing):]
			continue
		}
		if len(kind) > 1 {
			continue
		}
		if r.Intn(12) == 0 {
			parts[i+1] = literal(r)
		} else if depth > 0 && r.Intn(4) == 0 && (kind == "s" || kind == "a") {
			parts[i+1] = "(" + call(r, words, depth-1) + ")"
		} else {
			parts[i+1] = literalOf(r, kind)
		}
	}
	return strings.Join(parts, " ")
}

func literalOf(r *rand.Rand, kind string) string {
	switch kind {
	case "s":
		return pick(r, `"foo bar"`, `"FooBarBaz"`, `""`, `"héllo wörld"`, `"a,b,,c"`, `"  spaces  "`, `"x"`, `"snake_case-and kebab"`, `"12"`,
			`"-3.5"`, `"0x1f"`, `"aaa"`, `".a"`, `"HTTPServer9"`, "`<a&b>\"q\"`", `"tab\tnew\nline"`, `"1h30m"`, `"Ünïcödé ǅ ß"`, ".a", ".b")
	case "i":
		return pick(r, "0", "1", "2", "3", "5", "10", "-1", "-3", "80")
	case "n":
		return pick(r, "0", "1", "2", "7", "-7", "3.7", `"12"`, `"010"`, `"0x10"`, `"3.7"`, `"x"`, `""`, "true", "nil", "1e3", "-2.5", "100", `"1e3"`, ".f", ".n", `"-5"`, `" 5"`)
	case "l":
		return pick(r, "(list)", "(list 1 2 3)", `(list "b" "a" "b")`, "(list 1 nil \"\" 0 2)", ".list", `(splitList "," "x,y,z")`, "(until 4)", `(list (list 1) (dict "a" 1))`)
	case "m":
		return pick(r, `(dict)`, `(dict "a" 1 "b" 2)`, `(dict "a" (dict "b" (dict "c" "deep")))`, ".map", `(dict "x" "y" "a" 7)`, `(dict 1 2 "k")`)
	case "b":
		return pick(r, "true", "false")
	case "r":
		return pick(r, "`a`", "`[a-z]+`", "`(.)(.)`", "`\\s+`", "`x*`", "``", "`^`", "`$`", "`\\b`", "`[A-Z]`", "`(?i)FOO`", "`a|b|`", "`[^a]`", "`,`", "`é`", "`\\W`", "`(a+)b?`", "`[`")
	case "p":
		return pick(r, `"a/b/c.txt"`, `"/"`, `""`, `"../x/./y//z/.."`, `"a/../../b"`, `"/a/b/"`, `"x.y.z"`, `".hidden"`, `"a//b"`, `"/../a"`, `"dir.d/f"`)
	case "j":
		return pick(r, "`{\"a\":[1,2.5,null,true,\"x<y\"],\"b\":{}}`", "`[1e30,12345678901,0.1]`", "`\"s\"`", "`nul`", "`{bad`", "`1`", "`[1,2`", "``", "`{\"z\":1,\"a\":{\"k\":\"\\u00e9\"}}`")
	}
	return literal(r)
}
