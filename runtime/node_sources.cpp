// Sources of a node: pumps that publish what brokers have, each with the subscription that its
// malformed messages go to.

#include "runtime/node_impl.hpp"
#include "runtime/sources/source_pump.hpp"
#include <algorithm>

namespace edupulse {

namespace {

bool is_source_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, is_plain);
}

tl::unexpected<error> no_source(std::string_view name) {
  return fail(errc::not_found, "there is no source named " + quote(name) + " on this node");
}

/// Reads a message again that could not be read. Messages come here at once, and again when their
/// letters are redriven.
class second_reader final : public handler {
public:
  explicit second_reader(std::weak_ptr<source_pump> of) : of_(std::move(of)) {}
  outcome handle(const envelope& event, context&) override {
    const auto pump = of_.lock();
    return pump ? pump->read_again(event) : outcome::retry("the source has been detached");
  }

private:
  std::weak_ptr<source_pump> of_;
};

} // namespace

expected<void> node::attach_source(std::string name, source_ptr from) {
  auto how = from ? from->options() : source_options();
  return attach_source(std::move(name), std::move(from), std::move(how));
}

expected<void> node::attach_source(std::string name, source_ptr from, source_options how) {
  return impl_->attach_source(std::move(name), std::move(from), std::move(how));
}

expected<void> node::detach_source(std::string_view name) { return impl_->detach_source(name); }

expected<void> node::pause_source(std::string_view name) { return impl_->hold_source(name, true); }
expected<void> node::resume_source(std::string_view name) {
  return impl_->hold_source(name, false);
}

std::vector<source_status> node::sources() const { return impl_->sources(); }

// -- what the node knows of them -----------------------------------------------------------------

expected<void> node_impl::attach_source(std::string name, source_ptr from, source_options how) {
  if (!from)
    return fail(errc::invalid_option, "`attach_source` needs a source, and was given none");
  if (!is_source_name(name))
    return fail(errc::invalid_option, "a source's name has 1 to 64 of A-Z, a-z, 0-9, hyphen and "
                                      "underscore, and " +
                                          quote(name) + " has not");
  if (how.in_flight == 0)
    return fail(errc::invalid_option, "option `in_flight` of a source is at least 1");
  auto filter = topic_filter::parse("$source.malformed." + name);
  if (!filter)
    return tl::unexpected(filter.error());
  const auto pump = std::make_shared<source_pump>(*this, name, std::move(from), std::move(how));
  const auto make = [of = std::weak_ptr(pump)]() -> std::unique_ptr<handler> {
    return std::make_unique<second_reader>(of);
  };
  if (auto made = subscribe(name, std::move(*filter), {make, false}, {}); !made)
    return made;
  {
    std::lock_guard guard(mutex_);
    sources_.insert_or_assign(name, pump);
  }
  pump->start();
  return {};
}

expected<void> node_impl::detach_source(std::string_view name) {
  decltype(sources_)::node_type taken;
  {
    std::lock_guard guard(mutex_);
    if (const auto at = sources_.find(name); at != sources_.end())
      taken = sources_.extract(at);
  }
  if (taken.empty())
    return no_source(name);
  taken.mapped()->end();
  return unsubscribe(taken.key());
}

expected<void> node_impl::hold_source(std::string_view name, bool held) {
  std::lock_guard guard(mutex_);
  const auto at = sources_.find(name);
  if (at == sources_.end())
    return no_source(name);
  at->second->hold(held);
  return {};
}

std::vector<std::shared_ptr<source_pump>> node_impl::pumps() {
  std::lock_guard guard(mutex_);
  std::vector<std::shared_ptr<source_pump>> all;
  for (const auto& [name, pump] : sources_)
    all.push_back(pump);
  return all;
}

std::vector<source_status> node_impl::sources() {
  std::vector<source_status> all;
  for (const auto& pump : pumps())
    all.push_back(pump->status());
  return all;
}

void node_impl::quiesce_sources() {
  for (const auto& pump : pumps())
    pump->quiesce();
}

void node_impl::end_sources() {
  for (const auto& pump : pumps())
    pump->end();
}

} // namespace edupulse
