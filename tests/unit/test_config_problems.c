/* Every problem of a configuration: text on the left, the report to the letter on the right. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config_text.h"
#include "fixture.h"

struct row {
    const char *text, *report;
};

/* The report without its last line, the count. */
#define ONE(line) line "\n1 error\n"

static const struct row syntax[] = {
    {"", ONE("w.json:1:1: not valid JSON: expected a value, found the end")},
    {"{\n  \"pipelines\": {,}\n}",
     ONE("w.json:2:17: not valid JSON: expected a member name in double quotes, found \",\"")},
    {"{\"a\":1,}",
     ONE("w.json:1:8: not valid JSON: expected a member name in double quotes, found \"}\"")},
    {"{} x", ONE("w.json:1:4: not valid JSON: expected nothing after the value, found \"x\"")},
    {"{\"a\":\"\xff\"}", ONE("w.json:1:7: not valid JSON: expected UTF-8, found byte 0xFF")},
    {"[]", ONE("w.json:1:1: a configuration is one JSON object")},
};

static const struct row top[] = {
    {"{}", ONE("w.json:1:1: pipelines: required option missing")},
    {"{\"pipelines\":{}}", ONE("w.json:1:14: pipelines: expected at least one pipeline")},
    {"{\"pipelines\":[]}", ONE("w.json:1:14: pipelines: expected an object of pipelines by name")},
    {"{\"pipelines\":{\"p\":3}}",
     ONE("w.json:1:19: pipelines.p: expected an object with \"sources\" and \"sinks\"")},
    {"{\"pipelines\":{\"p\":{}}}", "w.json:1:19: pipelines.p.sources: required option missing\n"
                                   "w.json:1:19: pipelines.p.sinks: required option missing\n"
                                   "2 errors\n"},
    {"{\"pipelines\":{\"a b\":{\"sources\":[" TAIL "],\"sinks\":[" TCP "]}}}",
     ONE("w.json:1:15: pipelines.\"a b\": a name is made of letters, digits, \"_\", \"-\" and "
         "\".\"")},
    {PIPELINE("", "", TCP), ONE("w.json:2:11: pipelines.p.sources: expected at least one source")},
    {PIPELINE(TAIL, "", ""), ONE("w.json:4:9: pipelines.p.sinks: expected at least one sink")},
    {"{\"admin\":{\"listen\":\"a:1\"},\"user\":\"nobody\",\"memory_limit\":\"1KiB\",\"pipelines\":{"
     "\"p\":{\n"
     "\"sources\":[" TAIL "],\"sinks\":[" TCP "]}}}",
     "w.json:1:2: admin: the admin endpoint is not built into this version\n"
     "w.json:1:27: user: dropping privileges is not built into this version\n"
     "w.json:1:58: memory_limit: expected at least 1MiB, got \"1KiB\"\n3 errors\n"},
    {"{\"data_dri\":1,\"shutdown_timeout\":-1,\"data_dir\":\"\",\"pipelines\":{\"p\":{\n"
     "\"sources\":[" TAIL "],\"sinks\":[" TCP "]}}}",
     "w.json:1:2: data_dri: unknown option (did you mean \"data_dir\"?)\n"
     "w.json:1:34: shutdown_timeout: expected a duration such as 5 or \"250ms\", got -1\n"
     "w.json:1:48: data_dir: expected a string that is not empty, got \"\"\n3 errors\n"},
    {"{\"pipelines\":{\"p\":{\n\"sources\":[" TAIL "],\"sinks\":[" TCP "]},\n\"p\":{}}}",
     ONE("w.json:3:1: pipelines.p: duplicate key (first at line 1, column 15)")},
};

static const struct row stages[] = {
    {PIPELINE("{}", "", TCP),
     ONE("w.json:2:12: pipelines.p.sources[0].type: required option missing")},
    {PIPELINE("7", "", TCP),
     ONE("w.json:2:12: pipelines.p.sources[0]: expected an object with a \"type\", got 7")},
    {PIPELINE("{\"type\":5}", "", TCP),
     ONE("w.json:2:20: pipelines.p.sources[0].type: expected a string, got 5")},
    {PIPELINE("{\"type\":\"tial\",\"x\":1}", "", TCP),
     ONE("w.json:2:20: pipelines.p.sources[0].type: unknown source \"tial\" (did you mean "
         "\"tail\"?)")},
    {PIPELINE("{\"type\":\"gzip\"}", "", TCP),
     ONE("w.json:2:20: pipelines.p.sources[0].type: \"gzip\" is a transform, not a source")},
    {PIPELINE("{\"type\":\"journald\"}", "", TCP),
     ONE("w.json:2:20: pipelines.p.sources[0].type: the source \"journald\" is not built into this "
         "version")},
    {PIPELINE(TAIL, "{\"type\":\"json\",\"feild\":\".a\"}", TCP),
     ONE("w.json:3:30: pipelines.p.transforms[0].feild: unknown option (did you mean \"field\"?)")},
    {PIPELINE(TAIL, "{\"type\":\"gzip\"},\n{\"type\":\"json\"}", TCP),
     ONE("w.json:4:1: pipelines.p.transforms[1]: \"json\" needs records, but \"gzip\" before it "
         "gives bytes")},
    {PIPELINE(TAIL, "{\"type\":\"gzip\"},{\"type\":\"pass\"}", "{\"type\":\"lines\"}"),
     ONE("w.json:4:10: pipelines.p.sinks[0]: \"lines\" needs records, but \"pass\" before it gives "
         "bytes")},
    {PIPELINE(TAIL ",{\"type\":\"wire\"}", "", TCP),
     ONE("w.json:2:42: pipelines.p.sources[1]: \"wire\" gives bytes, but \"tail\" beside it gives "
         "records")},
    {PIPELINE(TAIL, "{\"type\":\"gzip\"}",
              "{\"type\":\"tcp\",\"address\":\"a:1\",\"where\":\".a\"}"),
     ONE("w.json:4:48: pipelines.p.sinks[0].where: \"where\" needs records, but \"gzip\" before it "
         "gives bytes")},
    {PIPELINE(TAIL, "", "{\"type\":\"lines\",\"transforms\":[{\"type\":\"gzip\"}]}"),
     ONE("w.json:4:10: pipelines.p.sinks[0]: \"lines\" needs records, but \"gzip\" before it gives "
         "bytes")},
    {PIPELINE(TAIL, "", "{\"type\":\"lines\",\"transforms\":[{\"type\":\"jsom\"}]}"),
     ONE("w.json:4:48: pipelines.p.sinks[0].transforms[0].type: unknown transform \"jsom\" (did "
         "you mean \"json\"?)")},
    {PIPELINE(TAIL, "", "{\"type\":\"lines\",\"name\":\"x\"},{\"type\":\"lines\",\"name\":\"x\"}"),
     ONE("w.json:4:61: pipelines.p.sinks[1].name: \"x\" is the name of another stage of this "
         "pipeline")},
    {PIPELINE(TAIL, "", "{\"type\":\"lines\",\"name\":\"a/b\"}"),
     ONE("w.json:4:33: pipelines.p.sinks[0].name: a name is made of letters, digits, \"_\", \"-\" "
         "and \".\"")},
    {PIPELINE(TAIL, "{\"type\":\"json\",\"workers\":2}", "{\"type\":\"lines\"}"),
     ONE("w.json:3:30: pipelines.p.transforms[0].workers: offloading a stage to workers is not built "
         "into this version")},
    {PIPELINE(TAIL, "", "{\"type\":\"lines\",\"queue\":{\"type\":\"disk\",\"max_byte\":1}}"),
     "w.json:4:34: pipelines.p.sinks[0].queue: a queue on disk needs \"max_bytes\" of at least 4MiB\n"
     "w.json:4:34: pipelines.p.sinks[0].queue: a queue on disk needs \"data_dir\" at the top level\n"
     "w.json:4:49: pipelines.p.sinks[0].queue.max_byte: unknown option (did you mean "
     "\"max_bytes\"?)\n3 errors\n"},
    {PIPELINE(TAIL, "{\"type\":\"json\",\"queue\":{\"type\":\"disk\",\"max_bytes\":\"1GiB\"}}",
              "{\"type\":\"lines\",\"queue\":{\"type\":\"disk\",\"max_bytes\":\"1GiB\",\"when_full\":\"drop_oldest\"}}"),
     "w.json:3:46: pipelines.p.transforms[0].queue.type: only a sink can have a queue on disk\n"
     "w.json:4:34: pipelines.p.sinks[0].queue: a queue on disk needs \"data_dir\" at the top level\n"
     "w.json:4:80: pipelines.p.sinks[0].queue.when_full: a queue on disk can block or drop_newest\n3 errors\n"},
    {PIPELINE("{\"type\":\"wire\",\"queue\":{\"when_full\":\"drop_oldest\"}}", "", TCP),
     ONE("w.json:2:48: pipelines.p.sources[0].queue.when_full: a source can only block: let the "
         "stage behind it drop")},
};

#define TAIL_WITH(more) PIPELINE("{\"type\":\"tail\",\"include\":\"a\"," more "}", "", TCP)
#define FILE_WITH(more) PIPELINE(TAIL, "", "{\"type\":\"file\"," more "}")
#define TCP_WITH(more)  PIPELINE(TAIL, "", "{\"type\":\"tcp\"," more "}")

static const struct row values[] = {
    {TAIL_WITH("\"strip_cr\":\"yes\""),
     ONE("w.json:2:52: pipelines.p.sources[0].strip_cr: expected true or false, got \"yes\"")},
    {TAIL_WITH("\"start_at\":\"ent\""),
     ONE("w.json:2:52: pipelines.p.sources[0].start_at: expected \"beginning\" or \"end\", got "
         "\"ent\" (did you mean \"end\"?)")},
    {TAIL_WITH("\"start_at\":null"), ONE("w.json:2:52: pipelines.p.sources[0].start_at: expected "
                                         "\"beginning\" or \"end\", got null")},
    {TAIL_WITH("\"max_line_bytes\":\"2GiB\""),
     ONE("w.json:2:58: pipelines.p.sources[0].max_line_bytes: expected 1KiB to 1GiB, got "
         "\"2GiB\"")},
    {TAIL_WITH("\"max_line_bytes\":\"2 GiB\""),
     ONE("w.json:2:58: pipelines.p.sources[0].max_line_bytes: expected a size such as 4096 or "
         "\"64KiB\", got \"2 GiB\"")},
    {TAIL_WITH("\"max_line_bytes\":[]"),
     ONE("w.json:2:58: pipelines.p.sources[0].max_line_bytes: expected a size such as 4096 or "
         "\"64KiB\", got an array")},
    {TAIL_WITH("\"rescan_interval\":\"50ms\""),
     ONE("w.json:2:59: pipelines.p.sources[0].rescan_interval: expected at least 100ms, got "
         "\"50ms\"")},
    {TAIL_WITH("\"rescan_interval\":\"5 s\""),
     ONE("w.json:2:59: pipelines.p.sources[0].rescan_interval: expected a duration such as 5 or "
         "\"250ms\", got \"5 s\"")},
    {TAIL_WITH("\"compressed\":true"), ONE("w.json:2:41: pipelines.p.sources[0].compressed: reading "
                                           "compressed files is not built into this version")},
    {PIPELINE("{\"type\":\"tail\",\"include\":[]}", "", TCP),
     ONE("w.json:2:37: pipelines.p.sources[0].include: expected at least 1, got 0")},
    {PIPELINE("{\"type\":\"tail\",\"include\":[\"a\",3]}", "", TCP),
     ONE("w.json:2:42: pipelines.p.sources[0].include[1]: expected a string, got 3")},
    {PIPELINE("{\"type\":\"tail\",\"include\":{}}", "", TCP),
     ONE("w.json:2:37: pipelines.p.sources[0].include: expected a string or an array of strings, "
         "got an object")},
    {PIPELINE(TAIL, "{\"type\":\"gzip\",\"level\":12}", TCP),
     ONE("w.json:3:38: pipelines.p.transforms[0].level: expected 1 to 9, got 12")},
    {PIPELINE(TAIL, "{\"type\":\"gzip\",\"level\":1.5}", TCP),
     ONE("w.json:3:38: pipelines.p.transforms[0].level: expected an integer, got 1.5")},
    {TCP_WITH("\"address\":\"localhost\""),
     ONE("w.json:4:34: pipelines.p.sinks[0].address: expected \"host:port\", got \"localhost\"")},
    {TCP_WITH("\"address\":[\"a:1\",\"b:0\"]"),
     ONE("w.json:4:41: pipelines.p.sinks[0].address[1]: expected \"host:port\" or "
         "\"[v6]:port\" with a port from 1 to 65535, got \"b:0\"")},
    {TCP_WITH("\"address\":1"), ONE("w.json:4:34: pipelines.p.sinks[0].address: expected "
                                    "\"host:port\" or an array of them, got 1")},
    {TCP_WITH("\"address\":\"a:1\",\"bind\":\"[::1]\",\"tls\":true"),
     "w.json:4:47: pipelines.p.sinks[0].bind: expected \"host:port\" or \"[v6]:port\" "
     "with a port from 1 to 65535, got \"[::1]\"\n"
     "w.json:4:55: pipelines.p.sinks[0].tls: TLS is not built into this version\n2 errors\n"},
    {FILE_WITH("\"path\":\"/x\",\"mode\":\"9\""),
     ONE("w.json:4:44: pipelines.p.sinks[0].mode: expected permission bits in octal such as "
         "\"0640\", got \"9\"")},
    {FILE_WITH("\"path\":\"/x\",\"rotate\":5"),
     ONE("w.json:4:46: pipelines.p.sinks[0].rotate: expected an object, got 5")},
    {FILE_WITH("\"path\":\"/x\",\"rotate\":{\"keep\":0}"),
     ONE("w.json:4:54: pipelines.p.sinks[0].rotate.keep: expected at least 1, got 0")},
    {FILE_WITH("\"path\":\"x\""),
     ONE("w.json:4:32: pipelines.p.sinks[0].path: expected an absolute path, got \"x\"")},
    {FILE_WITH("\"path\":\"/mode\""),
     ONE("w.json:4:10: pipelines.p.sinks[0].mode: required with this path")},
    {FILE_WITH("\"path\":\"/self\""),
     ONE("w.json:4:10: pipelines.p.sinks[0]: cannot write to itself")},
    {FILE_WITH("\"path\":\"a\\u0000b\""),
     ONE("w.json:4:32: pipelines.p.sinks[0].path: a string must not hold the character \\u0000")},
};

static const struct row expressions[] = {
    {PIPELINE(TAIL, "{\"type\":\"filter\",\"where\":\".a ==\"}", TCP),
     ONE("w.json:3:46: pipelines.p.transforms[0].where: column 6: expected a value, found the "
         "end")},
    {PIPELINE(TAIL, "{\"type\":\"filter\",\"where\":\"\\\"é\\u00e9\\ud83d\\ude00\\\" == )\"}", TCP),
     ONE("w.json:3:68: pipelines.p.transforms[0].where: column 10: expected a value, found )")},
    {PIPELINE(TAIL, "{\"type\":\"filter\",\"where\":[]}", TCP),
     ONE("w.json:3:40: pipelines.p.transforms[0].where: expected an expression in a string, got an "
         "array")},
    {PIPELINE(TAIL, "{\"type\":\"filter\",\"where\":\"${T_EXPR}\"}", TCP),
     ONE("w.json:3:40: pipelines.p.transforms[0].where: column 6: expected a value, found the "
         "end")},
    {PIPELINE(TAIL, "{\"type\":\"json\",\"field\":\"message\"}", TCP),
     ONE("w.json:3:39: pipelines.p.transforms[0].field: column 1: expected a path: \".field\" or "
         "\"@metadata\"")},
};

static const struct row substitutions[] = {
    {TCP_WITH("\"address\":\"x ${T_UNSET}\""),
     ONE("w.json:4:37: pipelines.p.sinks[0].address: the environment variable T_UNSET is not set "
         "(\"${T_UNSET:-default}\" gives it a default)")},
    {TCP_WITH("\"address\":\"${1}\""),
     ONE("w.json:4:35: pipelines.p.sinks[0].address: expected ${NAME}, ${NAME:-default} or "
         "${file:/path}, got \"${1}\"")},
    {TCP_WITH("\"address\":\"${T_HOST\""), ONE("w.json:4:35: pipelines.p.sinks[0].address: \"${\" "
                                               "without \"}\" (\"$${\" is a literal \"${\")")},
    {TCP_WITH("\"address\":\"${T_UNSET:-${X}}\""),
     ONE("w.json:4:35: pipelines.p.sinks[0].address: a default cannot hold another \"${\"")},
    {TCP_WITH("\"address\":\"${file:/no/such/file}\""),
     ONE("w.json:4:35: pipelines.p.sinks[0].address: cannot read \"/no/such/file\": No such file "
         "or directory")},
    {TCP_WITH("\"address\":\"${T_LATIN1}\""),
     ONE("w.json:4:35: pipelines.p.sinks[0].address: T_LATIN1 does not hold UTF-8 text")},
    {TCP_WITH("\"address\":\"${T_HOST}\""),
     ONE("w.json:4:34: pipelines.p.sinks[0].address: expected \"host:port\", got \"somewhere\"")},
    {TCP_WITH("\"address\":\"${T_PASSWORD}\""),
     ONE("w.json:4:34: pipelines.p.sinks[0].address: expected \"host:port\", got \"***\"")},
    {FILE_WITH("\"path\":\"${T_PASSWORD}\""),
     ONE("w.json:4:32: pipelines.p.sinks[0].path: expected an absolute path, got \"***\"")},
    {PIPELINE("{\"type\":\"${T_PASSWORD}\"}", "", TCP),
     ONE("w.json:2:20: pipelines.p.sources[0].type: unknown source \"***\"")},
};

/* All rows are looked at, so that one run shows all that changed. */
static void check_rows(const struct row *rows, size_t count)
{
    struct buf wrong = {0};
    for (size_t i = 0; i < count; i++) {
        char *got = config_text_report(rows[i].text);
        if (strcmp(got, rows[i].report) != 0)
            buf_fmt(&wrong, "row %zu: %s\ngot:\n%swant:\n%s\n", i, rows[i].text, got,
                    rows[i].report);
        mem_free(got);
    }
    ck_assert_msg(wrong.len == 0, "%s", buf_cstr(&wrong));
    buf_clear(&wrong);
}

static void set_environment(void)
{
    setenv("T_EXPR", ".a ==", 1);
    setenv("T_HOST", "somewhere", 1);
    setenv("T_PASSWORD", "hunter2", 1);
    setenv("T_LATIN1", "\xe9", 1);
    unsetenv("T_UNSET");
}

#define ROWS(name)                                                                                 \
    START_TEST(test_##name)                                                                        \
    {                                                                                              \
        set_environment();                                                                         \
        check_rows(name, sizeof name / sizeof name[0]);                                            \
        ck_assert_uint_eq(mem_live(), 0);                                                          \
    }                                                                                              \
    END_TEST

ROWS(syntax)
ROWS(top)
ROWS(stages)
ROWS(values)
ROWS(expressions)
ROWS(substitutions)

int main(void)
{
    TCase *tc = tcase_create("problems");
    tcase_add_test(tc, test_syntax);
    tcase_add_test(tc, test_top);
    tcase_add_test(tc, test_stages);
    tcase_add_test(tc, test_values);
    tcase_add_test(tc, test_expressions);
    tcase_add_test(tc, test_substitutions);
    Suite *s = suite_create("config problems");
    suite_add_tcase(s, tc);
    return fixture_main(s);
}
