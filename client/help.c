#include "help.h"

#include <stdbool.h>
#include <string.h>

#include "option_table.h"

enum {
    LEFT = 30,  /* columns of an option's names */
    WIDTH = 79, /* of all */
    TEXT_BYTES = 512
};

/* The text in lines that begin at column LEFT. */
static void
print_wrapped(FILE *f, const char *text)
{
    size_t room = WIDTH - LEFT, len;

    while ((len = strlen(text)) > room) {
        size_t end = room;

        while (end > 0 && text[end] != ' ') {
            end--;
        }
        if (end == 0) {
            end = strcspn(text, " "); /* a word that is too long */
        }
        if (end == len) {
            break;
        }
        fprintf(f, "%.*s\n%*s", (int) end, text, LEFT, "");
        text += end + 1;
    }
    fprintf(f, "%s\n", text);
}

static void
print_row(FILE *f, const struct option_row *row)
{
    char left[TEXT_BYTES], text[TEXT_BYTES], letters[8] = "";

    if (row->letters != NULL) {
        snprintf(letters, sizeof(letters), "-%s,", row->letters);
    }
    int len = snprintf(left, sizeof(left), "  %-4s --%s%s%s", letters,
                       row->name, row->argument != NULL ? "=" : "",
                       row->argument != NULL ? row->argument : "");
    if (row->fallback != NULL) {
        snprintf(text, sizeof(text), "%s (default: %s)", row->help,
                 row->fallback);
    } else {
        snprintf(text, sizeof(text), "%s", row->help);
    }
    if (len + 2 > LEFT) {
        fprintf(f, "%s\n%*s", left, LEFT, "");
    } else {
        fprintf(f, "%-*s", LEFT, left);
    }
    print_wrapped(f, text);
}

void
help_print(FILE *f, const struct option_table *t)
{
    fputs("Usage: shoal [OPTION]... URL...\n"
          "Download files from all nodes of their CDN, from super peers and "
          "from other\ndownloaders at once. Every byte is checked.\n",
          f);
    for (size_t i = 0; i < t->n; i++) {
        const struct option_row *row = &t->rows[i];

        if (i == 0 || strcmp(row->group, row[-1].group) != 0) {
            fprintf(f, "\n%s:\n", row->group);
        }
        print_row(f, row);
    }
    fputs(
        "\nEach option is also the variable SHOAL_NAME_OF_THE_OPTION, and a "
        "line\n`name-of-the-option: value` in /etc/shoal.yaml and "
        "~/.config/shoal/config.yaml.\n"
        "Exit status: wget's (0, 1 other, 2 command line, 3 file, 4 network, "
        "5 TLS,\n6 login, 7 protocol, 8 error from server), and 32 when the "
        "bytes are not\nwhat they must be.\n",
        f);
}

/* Words that stand for themselves in `auto|URL|FILE`. */
static bool
is_word(const char *text, size_t len)
{
    return len > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyz") == len;
}

static void
print_words(FILE *f, const char *argument)
{
    const char *gap = "";

    while (*argument != '\0') {
        size_t len = strcspn(argument, "|");

        if (is_word(argument, len)) {
            fprintf(f, "%s%.*s", gap, (int) len, argument);
            gap = " ";
        }
        argument += len + (argument[len] != '\0' ? 1 : 0);
    }
}

/* `-O|--output-document) words='a b' kind=file ;;` */
static void
print_case(FILE *f, const struct option_row *row)
{
    fputs("    ", f);
    if (row->letters != NULL && row->letters[1] == '\0') {
        fprintf(f, "-%s | ", row->letters);
    }
    fprintf(f, "--%s) words='", row->name);
    print_words(f, row->argument);
    fprintf(f, "' kind=%s ;;\n",
            strstr(row->argument, "FILE") != NULL  ? "-f"
            : strstr(row->argument, "DIR") != NULL ? "-d"
                                                   : "");
}

static void
print_names(FILE *f, const struct option_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct option_row *row = &t->rows[i];

        if (row->letters != NULL) {
            fprintf(f, "        -%s\n", row->letters);
        }
        fprintf(f, "        --%s%s\n", row->name,
                row->argument != NULL ? "=" : "");
    }
}

void
help_completion(FILE *f, const struct option_table *t)
{
    fputs("# shoal(1) for bash(1), made by `shoal --completion=bash`.\n"
          "\n"
          "# What an option's value may be: words and kind of the caller.\n"
          "_shoal_value() {\n"
          "    case $1 in\n",
          f);
    for (size_t i = 0; i < t->n; i++) {
        if (t->rows[i].argument != NULL) {
            print_case(f, &t->rows[i]);
        }
    }
    fputs("    *) return 1 ;;\n"
          "    esac\n"
          "}\n"
          "\n"
          "_shoal() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} words='' kind='' option\n"
          "    local at=$((COMP_CWORD - 1))\n"
          "\n"
          "    COMPREPLY=()\n"
          "    # bash takes --option=value for three words\n"
          "    if [[ $cur == = ]]; then\n"
          "        cur=\n"
          "    elif [[ ${COMP_WORDS[at]} == = ]]; then\n"
          "        at=$((at - 1))\n"
          "    fi\n"
          "    option=${COMP_WORDS[at]}\n"
          "    if _shoal_value \"$option\"; then\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "        if [[ -n $kind ]]; then\n"
          "            compopt -o filenames 2>/dev/null\n"
          "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY \\\n"
          "                < <(compgen \"$kind\" -- \"$cur\")\n"
          "        fi\n"
          "    elif [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W '\n",
          f);
    print_names(f, t);
    fputs("        ' -- \"$cur\"))\n"
          "        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace "
          "2>/dev/null\n"
          "    fi\n"
          "    return 0\n"
          "}\n"
          "\n"
          "complete -F _shoal shoal\n",
          f);
}
