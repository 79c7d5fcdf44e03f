/*
 * gen_reasons FILE: copies a manual page to stdout and puts the table of refusal codes, from
 * engine/reason.h, where the line @REASONS@ stands: page and program cannot disagree.
 */
#include "engine/reason.h"

#include <stdio.h>
#include <string.h>

#define PLACE "@REASONS@\n"

static void print_table(void)
{
    printf(".Bl -column \"template-not-for-issuer\" \"malformed\" "
           "\"template: request signatures\"\n");
    printf(".It Sy code Ta Sy kind Ta Sy rule\n");
#define PRINT_ROW(number, name, code, status, rule)                                                \
    printf(".It %s Ta %s Ta %s\n", code, ca_status_name(status), rule);
    CA_REASONS(PRINT_ROW)
#undef PRINT_ROW
    printf(".El\n");
}

int main(int argc, char **argv)
{
    char line[1024];
    FILE *page;
    int failed;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: gen_reasons FILE\n");
        return 2;
    }
    page = fopen(argv[1], "r");
    if (page == NULL) {
        perror(argv[1]);
        return 1;
    }
    while (fgets(line, sizeof(line), page) != NULL) {
        if (strcmp(line, PLACE) == 0) {
            print_table();
        } else {
            (void)fputs(line, stdout);
        }
    }
    failed = ferror(page) | fflush(stdout) | ferror(stdout);
    (void)fclose(page);
    return failed != 0;
}
