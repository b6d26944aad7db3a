/* test_hub_answer.c: what a worker takes for a hub's answer: nothing that a web server says to everybody. */
#include "workers/hub_answer.h"

#include <string.h>

#include "core/limits.h"
#include "unit.h"

static struct hub_call call_of(void **state, int status, const char *reply)
{
    return (struct hub_call){.arena = *state, .outcome = HUB_ANSWERED, .status = status, .reply = str_of(reply)};
}

static const char *const pages[] = {"",
                                    "<html>It works!</html>",
                                    "{}",
                                    "[]",
                                    "null",
                                    "\"d\"",
                                    "{\"deviceId\":7}",
                                    "{\"deviceId\":\"d",
                                    "{\"deviceId\":\"D\"}",
                                    "{\"deviceId\":\"d2\"}",
                                    "{\"deviceid\":\"d\"}"};

static void a_device_is_made_when_the_answer_names_it(void **state)
{
    struct hub_call good = call_of(state, 200, "{\"deviceId\":\"d\",\"etag\":\"x\"}");
    assert_true(hub_answer_names(&good, STR("d")));
    good.status = 201;
    assert_true(hub_answer_names(&good, STR("d")));
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct hub_call page = call_of(state, 200, pages[i]);
        if (hub_answer_names(&page, STR("d")))
            fail_msg("%s names the device", pages[i]);
    }
}

static void an_error_or_a_broken_call_makes_no_device(void **state)
{
    static const int statuses[] = {199, 300, 302, 400, 404, 500};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct hub_call call = call_of(state, statuses[i], "{\"deviceId\":\"d\"}");
        assert_false(hub_answer_names(&call, STR("d")));
    }
    struct hub_call broken = call_of(state, 200, "{\"deviceId\":\"d\"}");
    broken.outcome = HUB_BROKE;
    assert_false(hub_answer_names(&broken, STR("d")));
}

static void statistics_count(void **state)
{
    struct hub_call good = call_of(state, 200, "{\"connectedDeviceCount\":0}");
    assert_true(hub_answer_counts(&good));
    good.status = 401;
    assert_false(hub_answer_counts(&good));
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct hub_call page = call_of(state, 200, pages[i]);
        assert_false(hub_answer_counts(&page));
    }
    struct hub_call words = call_of(state, 200, "{\"connectedDeviceCount\":\"many\"}");
    assert_false(hub_answer_counts(&words));
}

static void devices_are_counted(void **state)
{
    struct hub_call good = call_of(state, 200, "{\"totalDeviceCount\":7}"),
                    words = call_of(state, 200, "{\"totalDeviceCount\":\"7\"}"),
                    less = call_of(state, 200, "{\"totalDeviceCount\":-7}");
    assert_int_equal(hub_answer_devices(&good), 7);
    assert_int_equal(hub_answer_devices(&words), -1);
    assert_int_equal(hub_answer_devices(&less), -1);
    good.status = 500;
    assert_int_equal(hub_answer_devices(&good), -1);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct hub_call page = call_of(state, 200, pages[i]);
        assert_int_equal(hub_answer_devices(&page), -1);
    }
}

static void a_list_has_the_ids_that_are_some(void **state)
{
    struct str *ids;
    size_t count = 7;
    struct hub_call empty = call_of(state, 200, "[]"),
                    list =
                        call_of(state, 200,
                                "[{\"deviceId\":\"a\"},{\"deviceId\":7},7,{\"deviceId\":\"\"},{\"deviceId\":\"b c\"},"
                                "{\"deviceId\":\"d\",\"moduleId\":\"m\"},{}]");
    assert_true(hub_answer_lists(&empty, &ids, &count));
    assert_int_equal(count, 0);
    list.page = 7;
    assert_true(hub_answer_lists(&list, &ids, &count));
    assert_int_equal(count, 2);
    assert_text(ids[0], "a");
    assert_text(ids[1], "d");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct hub_call page = call_of(state, 200, pages[i]);
        assert_true(hub_answer_lists(&page, &ids, &count) == (strcmp(pages[i], "[]") == 0));
    }
    empty.status = 404;
    assert_false(hub_answer_lists(&empty, &ids, &count));
    list.outcome = HUB_BROKE;
    assert_false(hub_answer_lists(&list, &ids, &count));
}

static void a_list_is_as_long_as_was_asked_for_and_its_continuation_one_that_can_be_kept(void **state)
{
    struct str *ids;
    size_t count;
    static char longest[CONTINUATION_MOST + 1];
    memset(longest, 'x', sizeof longest);
    struct hub_call page = call_of(state, 200, "[{\"deviceId\":\"a\"},{\"deviceId\":\"b\"},7]");
    page.page = 3;
    page.next_page = (struct str){longest, CONTINUATION_MOST};
    assert_true(hub_answer_lists(&page, &ids, &count));
    page.page = 2;
    assert_false(hub_answer_lists(&page, &ids, &count));
    page.page = 3;
    page.next_page = (struct str){longest, CONTINUATION_MOST + 1};
    assert_false(hub_answer_lists(&page, &ids, &count));
    static const char *const broken[] = {"a\xc3", "a\nb", "a\x7f"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        page.next_page = str_of(broken[i]);
        assert_false(hub_answer_lists(&page, &ids, &count));
    }
}

static void a_device_is_gone_when_the_hub_says_so(void **state)
{
    struct hub_call deleted = call_of(state, 204, ""),
                    unknown = call_of(state, 404, "{\"Message\":\"ErrorCode:DeviceNotFound;…\"}"),
                    anothers = call_of(state, 409, "{\"Message\":\"ErrorCode:DeviceOfAnotherScope;…\"}"),
                    conflict = call_of(state, 409, "{\"Message\":\"ErrorCode:Conflict;…\"}");
    assert_true(hub_answer_is_gone(&deleted));
    assert_true(hub_answer_is_gone(&unknown));
    assert_true(hub_answer_is_gone(&anothers));
    assert_false(hub_answer_is_gone(&conflict));
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct hub_call found = call_of(state, 200, pages[i]), lost = call_of(state, 404, pages[i]);
        assert_false(hub_answer_is_gone(&found));
        assert_false(hub_answer_is_gone(&lost));
    }
}

static void a_message_is_kept_and_a_page_has_none(void **state)
{
    struct hub_call error = call_of(state, 400, "{\"Message\":\"no\"}"),
                    small = call_of(state, 400, "{\"message\":\"No\"}");
    assert_text(hub_answer_message(&error), "no");
    assert_text(hub_answer_message(&small), "No");
    struct hub_call page = call_of(state, 400, "<html>Bad Request</html>");
    assert_null(hub_answer_message(&page).p);
}

static void a_change_names_the_etag_that_was_read(void **state)
{
    assert_text(hub_answer_if_match(*state, STR("{\"etag\":\"MTI=\"}")), "\"MTI=\"");
    static const char *const others[] = {
        NULL, "{}", "[", "{\"etag\":7}", "{\"etag\":\"\"}", "{\"etag\":\"a\\\"b\"}", "{\"etag\":\"a\\r\\nX: y\"}"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_text(hub_answer_if_match(*state, str_of(others[i])), "*");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_device_is_made_when_the_answer_names_it),
        UNIT(an_error_or_a_broken_call_makes_no_device),
        UNIT(statistics_count),
        UNIT(devices_are_counted),
        UNIT(a_list_has_the_ids_that_are_some),
        UNIT(a_list_is_as_long_as_was_asked_for_and_its_continuation_one_that_can_be_kept),
        UNIT(a_device_is_gone_when_the_hub_says_so),
        UNIT(a_message_is_kept_and_a_page_has_none),
        UNIT(a_change_names_the_etag_that_was_read),
    };
    return cmocka_run_group_tests_name("hub_answer", tests, NULL, NULL);
}
