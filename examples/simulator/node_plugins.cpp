#include "node_plugins.hpp"
#include "clock.hpp"
#include "watched_handler.hpp"
#include "workload.hpp"
#include <algorithm>
#include <atomic>

namespace edupulse::simulator {

struct node_plugins::shared {
  shared(const plan& what, std::function<void(record_kind what, const record& entry)> to)
      : who(what), note(std::move(to)) {}
  interests who;
  std::function<void(record_kind what, const record& entry)> note;
  std::atomic<std::uint64_t> sources{0};
};

namespace {

std::int64_t now_ns() { return search::now().time_since_epoch().count(); }

/// Of one handler object: a source of its own.
template <class Shared> class journal_watch final : public handler_watch {
public:
  journal_watch(std::shared_ptr<Shared> with, std::uint32_t handler)
      : with_(std::move(with)), handler_(handler), source_(++with_->sources) {}
  void ended(const envelope& event, std::uint32_t attempt, std::uint64_t gap,
             bool succeeded) override {
    auto entry = note_of(event, attempt, gap);
    entry.handler = handler_;
    entry.at_ns = now_ns();
    with_->note(succeeded ? record_kind::handled : record_kind::failed, entry);
  }
  void published(const sent& what) override {
    record entry;
    entry.handler = handler_;
    entry.source = source_;
    entry.number = ++published_;
    entry.id_high = high_half(what.id.value);
    entry.id_low = low_half(what.id.value);
    entry.key = what.key;
    entry.payload = what.payload;
    entry.wanted = with_->who.in(*what.type, what.subject);
    entry.at_ns = now_ns();
    with_->note(record_kind::published, entry);
  }

private:
  std::shared_ptr<Shared> with_;
  std::uint32_t handler_;
  std::uint64_t source_;
  std::uint64_t published_ = 0;
};

} // namespace

node_plugins::node_plugins(const plan& what, const role& self,
                           std::function<void(record_kind what, const record& entry)> note)
    : plan_(what), self_(self), shared_(std::make_shared<shared>(what, std::move(note))) {}

expected<void> node_plugins::open(node& at) {
  if (plan_.plugins.empty())
    return {};
  plugin_host_options how;
  how.wrap = [&all = plan_.handlers, with = shared_](std::string_view subscription,
                                                     std::unique_ptr<handler> made) {
    const auto place = std::find_if(all.begin(), all.end(),
                                    [&](const auto& one) { return one.name == subscription; }) -
                       all.begin();
    return watched(std::move(made), std::make_shared<journal_watch<shared>>(
                                        with, static_cast<std::uint32_t>(place)));
  };
  auto host = plugin_host::open(at, std::move(how));
  if (!host)
    return tl::unexpected(host.error());
  host_.emplace(std::move(*host));
  return {};
}

expected<void> node_plugins::load() {
  for (const auto& one : plan_.plugins)
    if (one.runs_on(self_.node)) {
      if (auto good = host_->load(one.file, one.settings); !good)
        return tl::unexpected(good.error());
    } else if (!plan_.input.empty() && self_.node < plan_.publishers) {
      auto parts = load_plugin(one.file, one.settings);
      if (!parts)
        return tl::unexpected(parts.error());
      elsewhere_.push_back(std::move(*parts));
    }
  return {};
}

const event_type* node_plugins::type_of(std::string_view event) const {
  const auto* type = host_ ? host_->type_of(event) : nullptr;
  for (auto at = elsewhere_.begin(); type == nullptr && at != elsewhere_.end(); ++at)
    type = at->type_of(event);
  return type;
}

std::vector<std::string> node_plugins::crashes() const {
  std::vector<std::string> all;
  if (host_)
    for (const auto& one : host_->crashes())
      all.push_back(
          "died in " + one.handler + ", with event " + one.event +
          (one.lost ? ", which it had published itself and is gone: " : ", which comes again: ") +
          one.how);
  return all;
}

} // namespace edupulse::simulator
