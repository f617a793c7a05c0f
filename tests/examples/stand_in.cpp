#include "tests/examples/stand_in_state.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>

namespace edupulse::test {

// -- what both do -----------------------------------------------------------------------

stand_in::stand_in() : state_(std::make_unique<state>()) {
  state_->server.set_tcp_nodelay(true); // or every answer waits for the client's delayed ACK
  state_->port = state_->server.bind_to_any_port("127.0.0.1");
}

void stand_in::serve() {
  state_->thread = std::thread([s = state_.get()] { s->server.listen_after_bind(); });
  while (!state_->server.is_running())
    ::poll(nullptr, 0, 1);
}

stand_in::~stand_in() {
  release();
  state_->server.stop();
  state_->thread.join();
}

std::string stand_in::url() const { return "http://127.0.0.1:" + std::to_string(state_->port); }

std::map<std::string, stored_lesson> stand_in::lessons() const {
  const std::lock_guard guard(state_->mutex);
  return state_->lessons;
}

std::vector<std::string> stand_in::requests() const {
  const std::lock_guard guard(state_->mutex);
  return state_->requests;
}

std::vector<std::string> stand_in::complaints() const {
  const std::lock_guard guard(state_->mutex);
  return state_->complaints;
}

void stand_in::answer_next(int status, const std::string& body, int retry_after) {
  const std::lock_guard guard(state_->mutex);
  state_->faults.push_back({fault::kind::answer, status, body, retry_after});
}

void stand_in::hang_next() {
  const std::lock_guard guard(state_->mutex);
  state_->faults.push_back({fault::kind::hang});
}

void stand_in::drop_next() {
  const std::lock_guard guard(state_->mutex);
  state_->faults.push_back({fault::kind::drop});
}

void stand_in::release() {
  const std::lock_guard guard(state_->mutex);
  state_->release_all = true;
  state_->released.notify_all();
}

void stand_in::refuse_lesson(const std::string& id, int status, const std::string& type,
                             const std::string& reason) {
  const std::lock_guard guard(state_->mutex);
  state_->refused[id] = {status, type, reason};
}

void stand_in::accept_lesson(const std::string& id) {
  const std::lock_guard guard(state_->mutex);
  state_->refused.erase(id);
}

void stand_in::demand_key(const std::string& key) {
  const std::lock_guard guard(state_->mutex);
  state_->key = key;
}

bool stand_in::state::fail_on_command(httplib::Response& response,
                                      std::unique_lock<std::mutex>& lock) {
  if (faults.empty())
    return false;
  const fault now = faults.front();
  faults.pop_front();
  if (now.what == fault::kind::hang)
    released.wait(lock, [this] { return release_all; });
  if (now.what == fault::kind::drop)
    response.set_content_provider(
        1000, "application/json",
        [](std::size_t, std::size_t, httplib::DataSink&) { return false; });
  if (now.what == fault::kind::answer) {
    answer(response, now.status, now.body);
    if (now.retry_after >= 0)
      response.set_header("Retry-After", std::to_string(now.retry_after));
  }
  return true;
}

stand_in::state::handler stand_in::state::guarded(body_of body) {
  return [this, body](const httplib::Request& request, httplib::Response& response) {
    std::unique_lock lock(mutex);
    requests.push_back(request.method + " " + request.path);
    if (fail_on_command(response, lock))
      return;
    const auto given = request.get_header_value("Authorization");
    if (!key.empty() && given != key_scheme + key) {
      refuse_key(!given.empty(), response);
      return;
    }
    body(*this, request, response);
  };
}

std::vector<ranked_lesson> stand_in::state::find(const std::string& query,
                                                 std::size_t limit) const {
  const auto lower = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  };
  std::vector<ranked_lesson> found;
  for (const auto& [id, lesson] : lessons) {
    double score = 0;
    std::istringstream words(lower(query));
    for (std::string word; words >> word;)
      score += (lower(lesson.title).find(word) != std::string::npos ? 5 : 0) +
               (lower(lesson.body).find(word) != std::string::npos ? 1 : 0);
    if (score > 0)
      found.push_back({id, lesson.title, score});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  if (found.size() > limit)
    found.resize(limit);
  return found;
}

// -- sockets that only disappoint -------------------------------------------------------

namespace {

int listening_socket(int& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || ::bind(fd, generic, size) != 0 || ::listen(fd, 8) != 0 ||
      ::getsockname(fd, generic, &size) != 0)
    throw std::runtime_error("cannot listen on loopback");
  port = ntohs(address.sin_port);
  return fd;
}

} // namespace

int closed_port() {
  int port = 0;
  ::close(listening_socket(port));
  return port;
}

struct slammed_door::state {
  int port = 0;
  int fd = listening_socket(port);
  std::thread thread{[this] {
    for (int one = 0; (one = ::accept(fd, nullptr, nullptr)) >= 0;)
      ::close(one);
  }};
};

slammed_door::slammed_door() : state_(std::make_unique<state>()) {}

slammed_door::~slammed_door() {
  ::shutdown(state_->fd, SHUT_RDWR); // ends accept()
  state_->thread.join();
  ::close(state_->fd);
}

std::string slammed_door::url() const { return "http://127.0.0.1:" + std::to_string(state_->port); }

} // namespace edupulse::test
