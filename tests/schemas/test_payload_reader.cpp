#include "schemas/payload_reader.hpp"

#include "kinds.capnp.h"
#include "schemas/codec.hpp"
#include "tests/schemas/samples.hpp"
#include "tests/support/catch.hpp"
#include <capnp/dynamic.h>
#include <string>

using namespace edupulse;
using kinds::inner::Tree;
using test::sample_header;

namespace {

envelope_ptr deep_tree(int depth) {
  return to_event<Tree>(
             [&](Tree::Builder tree) {
               for (int i = 1; i < depth; ++i)
                 tree = tree.initChild();
               tree.setLabel("leaf");
             },
             sample_header())
      .value();
}

/// What a handler would do; throws what its reader throws.
int depth_of(const envelope& what) {
  payload_reader reader(what);
  int depth = 1;
  for (auto tree = reader.as<Tree>(); tree.hasChild(); tree = tree.getChild())
    ++depth;
  return depth;
}

template <class Body> std::optional<error> fault_of(Body&& body) {
  try {
    body();
  } catch (...) {
    return payload_fault(std::current_exception());
  }
  FAIL("nothing was thrown");
  return std::nullopt;
}

} // namespace

TEST_CASE("payload_reader: two readers of one envelope do not spend each other's limits") {
  const auto what = test::sample_lesson();
  for (int i = 0; i < 10'000; ++i) {
    payload_reader reader(*what);
    REQUIRE(reader.as<LessonPublished>().getTitle() == "Quantum Mechanics 101");
  }
}

TEST_CASE("payload_reader: a large field can be read many times over") {
  const std::string body(10'000, 'x');
  const auto what =
      to_event<LessonPublished>([&](auto lesson) { lesson.setBody(body); }, sample_header())
          .value();
  payload_reader reader(*what);
  const auto lesson = reader.as<LessonPublished>();
  for (int i = 0; i < 60; ++i)
    CHECK(lesson.getBody().size() == body.size());
}

TEST_CASE("payload_reader: reading more than 64 times the event's size is a fault of its payload") {
  const std::string body(10'000, 'x');
  const auto what =
      to_event<LessonPublished>([&](auto lesson) { lesson.setBody(body); }, sample_header())
          .value();
  const auto fault = fault_of([&] {
    payload_reader reader(*what);
    const auto lesson = reader.as<LessonPublished>();
    for (int i = 0; i < 70; ++i)
      lesson.getBody();
  });
  REQUIRE(fault);
  CHECK(fault->code == errc::malformed);
  CHECK(fault->text.find("the payload cannot be read") == 0);
}

TEST_CASE("payload_reader: nesting within 64 is read, beyond it is a fault of the payload") {
  CHECK(depth_of(*deep_tree(60)) == 60);
  const auto deep = deep_tree(10'000);
  REQUIRE(decode(encode(*deep))); // the border does not follow it
  const auto fault = fault_of([&] { depth_of(*deep); });
  REQUIRE(fault);
  CHECK(fault->code == errc::malformed);
}

TEST_CASE("payload_reader: a type known only at run time reads the same fields") {
  const auto what = test::sample_lesson();
  payload_reader reader(*what);
  const auto lesson = reader.as<capnp::DynamicStruct>(what->type()->schema());
  CHECK(lesson.get("title").as<capnp::Text>() == "Quantum Mechanics 101");
}

TEST_CASE("payload_reader: what a handler itself throws is no fault of the payload") {
  CHECK_FALSE(fault_of([] { throw std::runtime_error("mine"); }));
  CHECK_FALSE(fault_of([] { throw 42; }));
}
