// What TLS costs: sessions between buffers, against the cipher alone as `openssl speed` drives it.

#include "bench.hpp"
#include "runtime/tls/pki.hpp"
#include "runtime/tls/tls_context.hpp"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <vector>

namespace {

using namespace edupulse;
using octets = std::vector<std::byte>;

constexpr std::size_t record = 16384;
constexpr double mega = 1e6;

void must(const expected<void>& done) {
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().text.c_str());
    std::abort();
  }
}

/// Two contexts of one cluster, from files that are gone at the end.
class two_nodes {
public:
  two_nodes() : directory_("/tmp/edupulse-bench-XXXXXX") {
    if (::mkdtemp(directory_.data()) == nullptr)
      std::abort();
    constexpr std::int64_t now = 1'800'000'000; // the clock of these certificates stands still
    const pki::period valid{now - 600, now + 86'400};
    const auto made = pki::authority::make("bench", valid).value();
    const auto ca = std::move(
        pki::authority::open({made.certificate, "certificate"}, {made.key, "key"}).value());
    put("ca.crt", made.certificate);
    put("ca.crl", ca.revoke({}, {}, valid).value());
    for (auto* to : {&a, &b}) {
      const auto node = ca.issue(to == &a ? "a" : "b", {}, valid).value();
      put("node.crt", node.certificate);
      put("node.key", node.key);
      *to = std::move(
          tls_context::open(tls_files::in(directory_, "bench"), [] { return now; }).value());
    }
  }
  ~two_nodes() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::unique_ptr<tls_context> a;
  std::unique_ptr<tls_context> b;

private:
  void put(const char* name, const std::string& text) const {
    const auto file = std::filesystem::path(directory_) / name;
    std::ofstream(file) << text;
    ::chmod(file.c_str(), S_IRUSR | S_IWUSR);
  }
  std::string directory_;
};

struct pair {
  tls_session client;
  tls_session server;
};

pair shake_hands(const two_nodes& nodes) {
  pair ends{std::move(nodes.a->connect().value()), std::move(nodes.b->accept().value())};
  octets there;
  octets back;
  octets plain;
  must(ends.client.start(there));
  must(ends.server.receive(there, plain, back));
  there.clear();
  must(ends.client.receive(back, plain, there));
  back.clear();
  must(ends.server.receive(there, plain, back));
  return ends;
}

/// MB/s of one AES-128-GCM context that seals `size` bytes as TLS does: nonce, header, text, tag.
double cipher_alone(std::size_t size, std::size_t total) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  const unsigned char key[16] = {1};
  unsigned char nonce[12] = {2};
  const unsigned char header[5] = {23, 3, 3, 64, 17};
  std::vector<unsigned char> text(size, 'x');
  std::vector<unsigned char> sealed(size + 16);
  EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key, nonce);
  const auto start = std::chrono::steady_clock::now();
  int written = 0;
  const std::size_t rounds = total / size;
  for (std::size_t i = 0; i < rounds; ++i) {
    nonce[11] = static_cast<unsigned char>(i);
    EVP_EncryptInit_ex(context.get(), nullptr, nullptr, nullptr, nonce);
    EVP_EncryptUpdate(context.get(), nullptr, &written, header, sizeof header);
    EVP_EncryptUpdate(context.get(), sealed.data(), &written, text.data(), static_cast<int>(size));
    EVP_EncryptFinal_ex(context.get(), sealed.data() + written, &written);
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, sealed.data() + size);
  }
  return static_cast<double>(rounds * size) / mega / bench::seconds_since(start);
}

struct speeds {
  double seal;
  double open;
};

/// MB/s of sends of `size` bytes, and of their receipt in pieces of 64 KiB.
speeds session_speeds(pair& ends, std::size_t size, std::size_t total) {
  // Slices of one large buffer, as a link cuts its frames. A small buffer of its own may lie just
  // so that its low address bits and those of OpenSSL's are alike, which halves the speed of a
  // copy.
  const octets text(256u << 10, std::byte{'x'});
  octets wire;
  octets plain;
  octets answer;
  double sealing = 0;
  double opening = 0;
  // As much as a socket's buffer holds: the caches are those of a real link.
  const std::size_t batch = std::max<std::size_t>(1, (256u << 10) / size);
  const std::size_t rounds = total / (size * batch);
  for (std::size_t i = 0; i < rounds; ++i) {
    wire.clear();
    plain.clear();
    auto start = std::chrono::steady_clock::now();
    for (std::size_t k = 0; k < batch; ++k)
      must(ends.client.send(std::span(text).subspan(k * size, size), wire));
    sealing += bench::seconds_since(start);
    start = std::chrono::steady_clock::now();
    for (std::size_t at = 0; at < wire.size(); at += 64u << 10)
      must(ends.server.receive(
          std::span(wire).subspan(at, std::min(wire.size() - at, std::size_t{64} << 10)), plain,
          answer));
    opening += bench::seconds_since(start);
    if (plain.size() != size * batch)
      std::abort();
  }
  const double megabytes = static_cast<double>(rounds * batch * size) / mega;
  return {megabytes / sealing, megabytes / opening};
}

void report_speeds(bench::report& to, const two_nodes& nodes, std::size_t size,
                   const std::string& name, std::size_t total) {
  std::vector<double> alone;
  std::vector<double> seal;
  std::vector<double> open;
  std::vector<double> ratio;
  auto ends = shake_hands(nodes);
  for (int run = 0; run < 5; ++run) {
    alone.push_back(cipher_alone(std::min(size, record), total));
    const auto both = session_speeds(ends, size, total);
    seal.push_back(both.seal);
    open.push_back(both.open);
    ratio.push_back(both.seal / alone.back());
  }
  to.value("tls.cipher_" + name, "MB/s", bench::spread_of(alone));
  to.value("tls.send_" + name, "MB/s", bench::spread_of(seal));
  to.value("tls.receive_" + name, "MB/s", bench::spread_of(open));
  to.value("tls.send_" + name + ".ratio", "ratio", bench::spread_of(ratio));
}

} // namespace

void bench::tls(report& to, bool quick) {
  const two_nodes nodes;
  const std::size_t total = quick ? 100'000'000 : 1'000'000'000;
  report_speeds(to, nodes, 256u << 10, "256k", total);
  report_speeds(to, nodes, record, "16k", total);
  report_speeds(to, nodes, 350, "350b", total / 10);
  std::vector<double> handshakes;
  for (int run = 0; run < 5; ++run) {
    const int count = quick ? 50 : 500;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i)
      shake_hands(nodes);
    handshakes.push_back(count / seconds_since(start));
  }
  to.value("tls.handshakes", "1/s, both ends", spread_of(handshakes));
}
