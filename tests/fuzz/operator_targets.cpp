// What an operator gives a node: a plugin's file, and requests over the control socket.

#include "lesson.capnp.h"
#include "runtime/control/channel.hpp"
#include "runtime/control/verbs.hpp"
#include "runtime/plugins/elf_file.hpp"
#include "runtime/plugins/manifest.hpp"
#include "tests/fuzz/must.hpp"
#include "tests/fuzz/targets.hpp"
#include <capnp/serialize.h>
#include <cstring>
#include <edupulse/plugin_description.hpp>
#include <memory>

namespace edupulse::fuzz {

namespace {

/// Takes every plugin, and looks at no file.
class easy_desk final : public plugin_desk {
public:
  std::vector<plugin_status> list() const override { return {one_}; }
  expected<plugin_status> load(const std::filesystem::path&, const setting_list&) override {
    return one_;
  }
  expected<swap_report> swap(std::string_view, const std::filesystem::path&,
                             const setting_list&) override {
    return swap_report{};
  }
  expected<swap_report> rollback(std::string_view name) override {
    return fail(errc::not_found, "no " + quote(name));
  }
  expected<std::vector<crash_record>> crash_records(std::string_view) const override {
    return std::vector<crash_record>(1);
  }

private:
  plugin_status one_{"search", "1", "/a.so", "running", {"search.index"}, ""};
};

/// A node that answers, with a subscription.
struct office {
  office() {
    must(at.subscribe<LessonPublished>("indexer", [](auto) {
             return outcome::reject("no");
           }).has_value());
  }
  node at = node::start({.name = "n1", .log = log_level::off}).value();
  easy_desk desk;
  control::bench bench{at, &desk, [](std::string_view name) {
                         const auto& type = event_traits<LessonPublished>::type();
                         return name == type.name ? &type : nullptr;
                       }};
};

/// Topics and dead letters add up: now and then another node takes its place.
control::bench& bench() {
  static std::unique_ptr<office> here;
  static unsigned answered = 0;
  if (answered++ % 10'000 == 0) {
    here.reset();
    here = std::make_unique<office>();
  }
  return here->bench;
}

} // namespace

void manifest(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto read = parse_manifest(text);
  if (!read)
    return must(read.error().code == errc::refused);
  must(detail::is_plain_name(read->name) && detail::is_version(read->version));
  for (const auto& one : read->handlers)
    must(detail::is_plain_name(one.name));
  must(read->json == text);
}

void plugin_image(std::span<const std::byte> bytes) {
  const auto found = read_elf(bytes);
  if (!found)
    return must(found.error().code == errc::refused);
  must(found->loaded_size <= bytes.size());
  const auto inside = std::as_bytes(std::span(found->manifest));
  must(inside.empty() || (inside.data() >= bytes.data() &&
                          inside.data() + inside.size() <= bytes.data() + bytes.size()));
  manifest(inside);
}

namespace {
void answer(const control::message_words& words) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<control::Answer>();
  const auto read = control::reading(words, [&](capnp::MessageReader& request) {
    control::answer(bench(), request.getRoot<control::Request>(), root);
  });
  if (!read)
    control::put_error(read.error(), root);
  const auto flat = capnp::messageToFlatArray(message);
  must(flat.asBytes().size() <= control::max_answer_bytes);
  capnp::FlatArrayMessageReader again(flat);
  must(again.getRoot<control::Answer>().isError() || read.has_value());
}
} // namespace

void control_request(std::span<const std::byte> bytes) {
  const auto count = bytes.size() / sizeof(std::uint64_t);
  if (count == 0)
    return; // the channel has refused it
  control::message_words words(count);
  std::memcpy(words.data(), bytes.data(), count * sizeof(std::uint64_t));
  answer(words);
}

} // namespace edupulse::fuzz
