// Two Erlang nodes and a port mapper of their own, so that none that runs already is touched.

#include "contender.hpp"
#include <memory>
#include <unistd.h>

namespace bench {

namespace {

/// The mapper and the compiled module; shared by all runs.
struct place {
  place()
      : port(std::to_string(free_port())),
        mapper(child::program({"epmd", "-port", port, "-address", "127.0.0.1"})) {
    child::program({"erlc", "-o", directory.path(), BENCH_SOURCES "/peer_erlang.erl"})
        .end(std::chrono::seconds(60));
  }
  child node(const std::string& name, const std::string& start, const load& what) const {
    return child::program({"erl",
                           "-noshell",
                           "-name",
                           name,
                           "-setcookie",
                           "bench",
                           "-start_epmd",
                           "false",
                           "-pa",
                           directory.path(),
                           "-kernel",
                           "inet_dist_use_interface",
                           "{127,0,0,1}",
                           "-events",
                           std::to_string(what.events),
                           "-bytes",
                           std::to_string(what.bytes),
                           "-subscriber",
                           subscriber,
                           "-s",
                           "peer_erlang",
                           start},
                          {"ERL_EPMD_PORT=" + port, "HOME=" + directory.path()});
  }
  static constexpr const char* publisher = "publisher@127.0.0.1";
  static constexpr const char* subscriber = "subscriber@127.0.0.1";
  scratch directory;
  std::string port;
  child mapper;
};

} // namespace

contender erlang() {
  contender made{"erlang", {}, {}, {}};
  for (const char* program : {"erl", "erlc", "epmd"})
    if (!is_installed(program))
      made.missing = "erlang-base is not installed";
  if (!made.missing.empty())
    return made;
  const auto where = std::make_shared<place>();
  made.publisher = [where](const load& what) {
    return where->node(place::publisher, "publish", what);
  };
  made.subscriber = [where](const load& what, const std::string&) {
    return where->node(place::subscriber, "subscribe", what);
  };
  return made;
}

} // namespace bench
