#include "schemas/ids.hpp"
#include "tests/support/catch.hpp"
#include <algorithm>
#include <limits>
#include <thread>
#include <vector>

using namespace edupulse;

namespace {

std::uint64_t milliseconds_of(const event_id& id) { return high_half(id.value) >> 16; }

} // namespace

TEST_CASE("ids: an event id is a UUID of version 7 that begins with its millisecond") {
  event_id_source source(1);
  const event_id id = source.next(0x0189'0a5d'ac96);
  CHECK(milliseconds_of(id) == 0x0189'0a5d'ac96);
  CHECK(to_string(id)[14] == '7');
  CHECK(id.value.variant() == boost::uuids::uuid::variant_rfc_4122);
  CHECK(to_string(id).substr(0, 15) == "01890a5d-ac96-7");
}

TEST_CASE("ids: event ids increase when the clock stands still or steps back") {
  event_id_source source(7);
  event_id last = source.next(1'000'000);
  for (const std::int64_t now : {1'000'000, 1'000'000, 999'000, 0, -5, 1'000'001, 500'000}) {
    const event_id next = source.next(now);
    CHECK(last < next);
    last = next;
  }
}

TEST_CASE("ids: a counter that runs over lends from the next millisecond") {
  event_id_source source(7);
  event_id last = source.next(5'000);
  for (int i = 0; i < 70'000; ++i) {
    const event_id next = source.next(5'000);
    REQUIRE(last < next);
    last = next;
  }
  CHECK(milliseconds_of(last) == 5'001);
  CHECK(to_string(last)[14] == '7');
}

TEST_CASE("ids: times that 48 bits cannot hold still give valid, increasing ids") {
  event_id_source source(7);
  const event_id early = source.next(std::numeric_limits<std::int64_t>::min());
  const event_id late = source.next(std::numeric_limits<std::int64_t>::max());
  CHECK(milliseconds_of(early) == 0);
  CHECK(milliseconds_of(late) == 0xffff'ffff'ffff);
  CHECK(early < late);
}

TEST_CASE("ids: two sources with different seeds make different ids at one time") {
  event_id_source a(1);
  event_id_source b(2);
  CHECK_FALSE(a.next(1'000) == b.next(1'000));
}

TEST_CASE("ids: event ids of many threads are unique and each thread sees its own increase") {
  constexpr int threads = 8;
  constexpr int each = 20'000;
  event_id_source source(3);
  std::vector<std::vector<event_id>> made(threads);
  std::vector<std::thread> running;
  for (auto& mine : made)
    running.emplace_back([&source, &mine] {
      for (int i = 0; i < each; ++i)
        mine.push_back(source.next(1'000 + i / 100));
    });
  for (auto& thread : running)
    thread.join();
  std::vector<event_id> all;
  for (const auto& mine : made) {
    CHECK(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}

TEST_CASE("ids: text and halves round-trip") {
  const auto value = from_halves(0x0123'4567'89ab'cdef, 0xfedc'ba98'7654'3210);
  CHECK(to_string(value) == "01234567-89ab-cdef-fedc-ba9876543210");
  CHECK(parse_uuid("01234567-89AB-CDEF-fedc-ba9876543210").value() == value);
  CHECK(high_half(value) == 0x0123'4567'89ab'cdef);
  CHECK(low_half(value) == 0xfedc'ba98'7654'3210);
}

TEST_CASE("ids: what is no UUID is refused with its text") {
  for (const char* text :
       {"", "01234567-89ab-cdef-fedc-ba987654321", "01234567-89ab-cdef-fedc-ba98765432100",
        "01234567089ab-cdef-fedc-ba9876543210", "0123456g-89ab-cdef-fedc-ba9876543210",
        "{1234567-89ab-cdef-fedc-ba987654321}", "01234567--9ab-cdef-fedc-ba9876543210"}) {
    const auto value = parse_uuid(text);
    INFO(text);
    REQUIRE_FALSE(value);
    CHECK(value.error().code == errc::malformed);
    CHECK(value.error().text.find("is not a UUID") != std::string::npos);
  }
}

TEST_CASE("ids: a node id is a UUID of version 4 made of the bits that were drawn") {
  const node_id id = make_node_id(~0ULL, ~0ULL);
  CHECK(to_string(id) == "ffffffff-ffff-4fff-bfff-ffffffffffff");
  CHECK(to_string(make_node_id(0, 0)) == "00000000-0000-4000-8000-000000000000");
}

TEST_CASE("ids: a subscription's id is a function of the two names and survives releases") {
  const auto id = make_subscription_id("api-1", "search-indexer");
  CHECK(id == make_subscription_id("api-1", "search-indexer"));
  CHECK(id.value.version() == 5);
  CHECK(to_string(id) == "75fd9717-a8cf-5823-855c-ed25f46109fe");
  CHECK_FALSE(make_subscription_id("ab", "c") == make_subscription_id("a", "bc"));
  CHECK_FALSE(make_subscription_id("a", "") == make_subscription_id("", "a"));
}

TEST_CASE("ids: equal ids have equal hashes") {
  const std::hash<event_id> hash;
  event_id_source source(1);
  const event_id id = source.next(1);
  CHECK(hash(id) == hash(event_id{id.value}));
  CHECK(hash(id) != hash(source.next(1)));
}
