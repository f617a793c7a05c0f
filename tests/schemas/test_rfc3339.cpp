#include "schemas/rfc3339.hpp"
#include "tests/support/catch.hpp"

using namespace edupulse;

TEST_CASE("rfc3339: times are written in UTC with milliseconds") {
  CHECK(to_rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(to_rfc3339(1'764'000'000'125) == "2025-11-24T16:00:00.125Z");
  CHECK(to_rfc3339(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(to_rfc3339(951'782'400'000) == "2000-02-29T00:00:00.000Z");
  CHECK(to_rfc3339(253'402'300'799'999) == "9999-12-31T23:59:59.999Z");
  CHECK(to_rfc3339(-62'167'219'200'000) == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("rfc3339: times outside the years 0 to 9999 are not written") {
  CHECK_FALSE(to_rfc3339(253'402'300'800'000));
  CHECK_FALSE(to_rfc3339(-62'167'219'200'001));
  CHECK_FALSE(to_rfc3339(INT64_MAX));
  CHECK_FALSE(to_rfc3339(INT64_MIN));
}

TEST_CASE("rfc3339: what is written reads back") {
  for (const std::int64_t ms : {0LL, 1LL, -1LL, 951'782'399'999LL, 1'764'000'000'125LL,
                                253'402'300'799'999LL, -62'167'219'200'000LL})
    CHECK(parse_rfc3339(to_rfc3339(ms).value()) == ms);
}

TEST_CASE("rfc3339: offsets, fractions and leap seconds are understood") {
  CHECK(parse_rfc3339("1970-01-01T01:00:00+01:00") == 0);
  CHECK(parse_rfc3339("1969-12-31T18:30:00-05:30") == 0);
  CHECK(parse_rfc3339("1970-01-01t00:00:00z") == 0);
  CHECK(parse_rfc3339("1970-01-01T00:00:00.5Z") == 500);
  CHECK(parse_rfc3339("1970-01-01T00:00:00.1239999999999999Z") == 123);
  CHECK(parse_rfc3339("2016-12-31T23:59:60Z") == 1'483'228'800'000);
}

TEST_CASE("rfc3339: what is no time is not read") {
  for (const char* text : {"", "2025", "2025-11-24", "2025-11-24T16:00:00", "2025-13-01T00:00:00Z",
                           "2025-02-29T00:00:00Z", "2025-11-24T24:00:00Z", "2025-11-24T16:60:00Z",
                           "2025-11-24T16:00:61Z", "2025-11-24T16:00:00.Z", "2025-11-24T16:00:00Zx",
                           "2025-11-24 16:00:00Z", "25-11-24T16:00:00Z", "2025-11-24T16:00:00+1:00",
                           "2025-11-24T16:00:00+25:00", "-025-11-24T16:00:00Z", "1764000000125"}) {
    INFO(text);
    CHECK_FALSE(parse_rfc3339(text));
  }
}
