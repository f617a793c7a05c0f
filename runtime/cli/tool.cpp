#include "runtime/cli/tool.hpp"
#include "runtime/control/channel.hpp"
#include "runtime/control/listener.hpp"
#include <cstdlib>
#include <iostream>
#include <unistd.h>

namespace edupulse::cli {

namespace {

tl::unexpected<trouble> nobody(const error& why, const std::string& text) {
  return tl::unexpected(trouble{nobody_there, std::string(to_string(why.code)), text});
}

/// In /tmp, say, anybody may have made the socket.
bool is_trusted(int socket) {
  const auto who = control::credentials_of(socket);
  return who && (who->user == ::geteuid() || who->user == 0 || ::geteuid() == 0);
}

} // namespace

void tool::add_options(CLI::App& to) {
  to.add_option("--socket", socket_, "The node's control socket; or EDUPULSE_SOCKET says it");
  to.add_option("--data", data_, "The node's data directory: its socket is control.sock there")
      ->excludes("--socket");
  to.add_option("--timeout", patience_s_, "Seconds to wait for the node's answer")
      ->check(CLI::Range(1U, 86400U))
      ->capture_default_str();
  to.add_flag("--json", json_wanted, "For programs: all that there is to know, as JSON");
}

std::filesystem::path tool::where() const {
  if (!socket_.empty())
    return socket_;
  if (!data_.empty())
    return std::filesystem::path(data_) / "control.sock";
  const char* set = std::getenv("EDUPULSE_SOCKET");
  return set != nullptr ? set : "";
}

tl::expected<void, trouble> tool::ask(const filler& fill, const reader& read) const {
  const auto place = where();
  if (place.empty())
    return tl::unexpected(trouble{wrong_use, "invalid_option",
                                  "which node? Say it with --socket PATH, --data DIR, or "
                                  "EDUPULSE_SOCKET in the environment"});
  const auto reached = control::dial(place);
  if (!reached)
    return nobody(reached.error(), reached.error().text + ": is it running, and is that its "
                                                          "socket?");
  if (!is_trusted((*reached)->number()))
    return nobody({errc::refused, {}}, "the socket " + quote(place.string(), 128) +
                                           " is another user's: a node of yours is not there");
  const control::channel with((*reached)->number(), -1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(patience_s_);
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<control::Request>());
  // One that was refused at the door has its answer waiting.
  const auto sent = with.send(message, control::max_request_bytes, deadline);
  if (!sent && sent.error().code == errc::too_large)
    return tl::unexpected(trouble{wrong_use, "too_large", sent.error().text});
  const auto words = with.receive(control::max_answer_bytes, deadline);
  if (!words)
    return nobody(words.error(), "the node has not answered: " + words.error().text +
                                     "; what it has begun goes on");
  tl::expected<void, trouble> said;
  const auto good = control::reading(*words, [&](capnp::MessageReader& from) {
    const auto answer = from.getRoot<control::Answer>();
    if (answer.isError())
      said = tl::unexpected(
          trouble{refused, answer.getError().getCode().cStr(), answer.getError().getText().cStr()});
    else
      read(answer);
  });
  return good ? said
              : nobody(good.error(), "the node's answer makes no sense: " + good.error().text);
}

int tool::show(const filler& fill, const std::function<std::string(control::Answer::Reader)>& text,
               const std::function<void(json&)>& shape) const {
  std::string said;
  const auto told = ask(fill, [&](control::Answer::Reader answer) {
    if (!json_wanted) {
      said = text(answer);
      return;
    }
    auto all = answer_to_json(answer);
    if (shape)
      shape(all);
    said = dump(all);
  });
  return told ? print(said) : complain(told.error());
}

int tool::print(const std::string& text) const {
  std::cout << text << std::flush;
  return std::cout ? done : refused;
}

int tool::complain(const trouble& what) const {
  if (json_wanted)
    print(json{{"error", {{"code", what.code}, {"text", what.text}}}});
  std::cerr << "edupulse: " << printable(what.text) << '\n';
  return what.exit_code;
}

json answer_to_json(control::Answer::Reader from) {
  const auto all = to_json(capnp::DynamicStruct::Reader(from));
  return all.begin().value();
}

} // namespace edupulse::cli
