#include "core/check/elf.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

/* The file, and how much of it there is. */
struct image {
    const unsigned char *bytes;
    size_t len;
};

/* One of its tables: `count` entries of the same size. */
struct table {
    size_t at, size, count;
};

static bool is_inside(const struct image *im, uint64_t at, uint64_t len)
{
    return at <= im->len && len <= im->len - at;
}

/* The i-th entry, copied: tables of a damaged file may stand at any address. */
static void entry(const struct image *im, const struct table *t, size_t i, void *out, size_t len)
{
    memcpy(out, im->bytes + t->at + i * t->size, len);
}

static int make_table(const struct image *im, struct table *ret, uint64_t at, uint64_t size, uint64_t count,
                      size_t least, const char *what, struct es_error *err)
{
    if (count && (size < least || count > im->len / size || !is_inside(im, at, size * count)))
        return es_error_set(err, ES_E_CONFIG, "is damaged: its %s is not inside the file", what);
    *ret = (struct table){(size_t)at, (size_t)size, (size_t)count};
    return 0;
}

/* NULL: it does not end inside its section. */
static const char *string_at(const struct image *im, const Elf64_Shdr *strings, uint64_t offset)
{
    if (!is_inside(im, strings->sh_offset, strings->sh_size) || offset >= strings->sh_size)
        return NULL;
    const char *text = (const char *)im->bytes + strings->sh_offset + offset;
    return memchr(text, '\0', (size_t)(strings->sh_size - offset)) ? text : NULL;
}

static int read_header(const struct image *im, Elf64_Ehdr *ret, struct es_error *err)
{
    const uint16_t one = 1;
    unsigned char order = *(const unsigned char *)&one ? ELFDATA2LSB : ELFDATA2MSB;

    if (im->len < sizeof *ret || memcmp(im->bytes, ELFMAG, SELFMAG) != 0)
        return es_error_set(err, ES_E_CONFIG, "is no ELF file");
    memcpy(ret, im->bytes, sizeof *ret);
    if (ret->e_ident[EI_CLASS] != ELFCLASS64 || ret->e_ident[EI_DATA] != order)
        return es_error_set(err, ES_E_CONFIG, "is an ELF file for another kind of machine");
    if (ret->e_type != ET_DYN)
        return es_error_set(err, ES_E_CONFIG, "is an ELF file, but no shared object");
    return 0;
}

static bool section_of(const struct image *im, const struct table *sections, size_t i, Elf64_Shdr *ret)
{
    if (i >= sections->count)
        return false;
    entry(im, sections, i, ret, sizeof *ret);
    return true;
}

/* ---- symbols ---- */

static bool is_exported(const Elf64_Sym *s)
{
    unsigned bind = ELF64_ST_BIND(s->st_info), see = ELF64_ST_VISIBILITY(s->st_other);

    return s->st_shndx != SHN_UNDEF && bind != STB_LOCAL && (see == STV_DEFAULT || see == STV_PROTECTED) &&
           s->st_name != 0;
}

static int read_symbols(struct es_elf *ret, const struct image *im, const struct table *sections,
                        const Elf64_Shdr *section, struct es_error *err)
{
    struct table symbols = {0};
    Elf64_Shdr strings = {0};

    uint64_t count = section->sh_entsize ? section->sh_size / section->sh_entsize : 0;
    int rc = make_table(im, &symbols, section->sh_offset, section->sh_entsize, count, sizeof(Elf64_Sym),
                        "table of symbols", err);
    if (rc < 0)
        return rc;
    if (!section_of(im, sections, section->sh_link, &strings))
        return es_error_set(err, ES_E_CONFIG, "is damaged: its symbols have no names");
    for (size_t i = 0; i < symbols.count; i++) {
        Elf64_Sym s;
        entry(im, &symbols, i, &s, sizeof s);
        if (!is_exported(&s))
            continue;
        const char *name = string_at(im, &strings, s.st_name);
        if (!name)
            return es_error_set(err, ES_E_CONFIG, "is damaged: a symbol's name is not inside the file");
        if (ret->export_count < ES_ELF_MAX_NAMES)
            ret->exports[ret->export_count] = name;
        ret->export_count++;
    }
    return 0;
}

/* ---- how it was linked ---- */

static int read_entry(struct es_elf *ret, const struct image *im, const Elf64_Shdr *strings,
                      const Elf64_Dyn *d, struct es_error *err)
{
    const char *name;

    switch (d->d_tag) {
    case DT_NEEDED:
        name = string_at(im, strings, d->d_un.d_val);
        if (!name)
            return es_error_set(err, ES_E_CONFIG, "is damaged: a library's name is not inside the file");
        if (ret->needed_count < ES_ELF_MAX_NAMES)
            ret->needed[ret->needed_count] = name;
        ret->needed_count++;
        break;
    case DT_BIND_NOW:
        ret->binds_now = true;
        break;
    case DT_TEXTREL:
        ret->text_relocations = true;
        break;
    case DT_FLAGS:
        ret->binds_now = ret->binds_now || (d->d_un.d_val & DF_BIND_NOW);
        ret->text_relocations = ret->text_relocations || (d->d_un.d_val & DF_TEXTREL);
        break;
    case DT_FLAGS_1:
        ret->binds_now = ret->binds_now || (d->d_un.d_val & DF_1_NOW);
        break;
    }
    return 0;
}

static int read_dynamic(struct es_elf *ret, const struct image *im, const struct table *sections,
                        const Elf64_Shdr *section, struct es_error *err)
{
    struct table entries = {0};
    Elf64_Shdr strings = {0};

    uint64_t count = section->sh_entsize ? section->sh_size / section->sh_entsize : 0;
    int rc = make_table(im, &entries, section->sh_offset, section->sh_entsize, count, sizeof(Elf64_Dyn),
                        "dynamic section", err);
    if (rc == 0 && !section_of(im, sections, section->sh_link, &strings))
        rc = es_error_set(err, ES_E_CONFIG, "is damaged: its dynamic section has no names");
    for (size_t i = 0; i < entries.count && rc == 0; i++) {
        Elf64_Dyn d;
        entry(im, &entries, i, &d, sizeof d);
        if (d.d_tag == DT_NULL)
            break;
        rc = read_entry(ret, im, &strings, &d, err);
    }
    return rc;
}

/* Linux gives an executable stack to those who do not say that they need none. */
static int read_segments(struct es_elf *ret, const struct image *im, const Elf64_Ehdr *header,
                         struct es_error *err)
{
    struct table segments = {0};

    int rc = make_table(im, &segments, header->e_phoff, header->e_phentsize, header->e_phnum,
                        sizeof(Elf64_Phdr), "table of segments", err);
    if (rc < 0)
        return rc;
    ret->executable_stack = true;
    for (size_t i = 0; i < segments.count; i++) {
        Elf64_Phdr p;
        entry(im, &segments, i, &p, sizeof p);
        if (p.p_type == PT_GNU_STACK)
            ret->executable_stack = (p.p_flags & PF_X) != 0;
    }
    return 0;
}

int es_elf_read(struct es_elf *ret, const void *data, size_t len, struct es_error *err)
{
    const struct image im = {data, len};
    struct table sections = {0};
    Elf64_Ehdr header;
    bool symbols = false;

    *ret = (struct es_elf){0};
    int rc = read_header(&im, &header, err);
    if (rc == 0)
        rc = read_segments(ret, &im, &header, err);
    if (rc == 0)
        rc = make_table(&im, &sections, header.e_shoff, header.e_shentsize, header.e_shnum,
                        sizeof(Elf64_Shdr), "table of sections", err);
    for (size_t i = 0; i < sections.count && rc == 0; i++) {
        Elf64_Shdr s;
        entry(&im, &sections, i, &s, sizeof s);
        if (s.sh_type == SHT_DYNSYM) {
            symbols = true;
            rc = read_symbols(ret, &im, &sections, &s, err);
        } else if (s.sh_type == SHT_DYNAMIC) {
            rc = read_dynamic(ret, &im, &sections, &s, err);
        }
    }
    if (rc == 0 && !symbols)
        rc = es_error_set(
            err, ES_E_CONFIG,
            "has no section with its symbols, so they cannot be looked at; do not strip that away");
    return rc;
}
