#include "runtime/cli/pki_directory.hpp"
#include "runtime/tls/files.hpp"
#include <algorithm>
#include <system_error>

namespace edupulse::cli {
namespace {

constexpr std::int64_t day = 86'400;
/// Clocks of other machines may be behind ours by as much.
constexpr std::int64_t clock_slack = 600;

constexpr mode_t for_all = 0644;
constexpr mode_t for_owner = 0600;

template <class T> tl::unexpected<error> failed(const expected<T>& what) {
  return tl::unexpected(what.error());
}

pki::period from_now(std::int64_t now, int days) { return {now - clock_slack, now + days * day}; }

pki::named_text named(const tls_file& file) { return {file.text(), file.label()}; }

expected<void> refuse_existing(const std::filesystem::path& file, overwrite when_there,
                               std::string_view loss) {
  std::error_code ignored;
  if (when_there == overwrite::refused && std::filesystem::exists(file, ignored))
    return fail(errc::refused,
                file.string() + " exists: --force replaces it, and " + std::string(loss));
  return {};
}

/// "." and ".." are names of nodes, and no names of directories.
expected<void> check_directory_name(const std::string& name) {
  if (is_identity_name(name) && name != "." && name != "..")
    return {};
  return fail(errc::invalid_option,
              "the node's name " + quote(name) +
                  " is not 1 to 255 letters, digits, dots, hyphens and underscores, or names a "
                  "directory above");
}

} // namespace

// -- the authority ------------------------------------------------------------------

expected<std::string> pki_directory::init(const std::filesystem::path& directory,
                                          const new_authority& what, std::int64_t now) {
  auto made = pki::authority::make(what.cluster, from_now(now, what.days));
  if (!made)
    return failed(made);
  const auto ca =
      pki::authority::open({made->certificate, "the new certificate"}, {made->key, "the new key"});
  if (!ca)
    return failed(ca);
  const auto list = ca->revoke({}, {}, from_now(now, what.crl_days));
  if (!list)
    return failed(list);
  for (const auto& each : {directory, directory / "issued", directory / "nodes"})
    if (auto done = make_directory(each); !done)
      return failed(done);
  const auto lock = directory_lock::take(directory);
  if (!lock)
    return failed(lock);
  for (const auto* name : {"ca.key", "ca.crt", "ca.crl"})
    if (auto good = refuse_existing(directory / name, what.when_there,
                                    "makes every certificate of the authority there useless");
        !good)
      return failed(good);
  auto done =
      write_file(directory / "ca.key", made->key, for_owner, what.when_there)
          .and_then([&] {
            return write_file(directory / "ca.crt", made->certificate, for_all, what.when_there);
          })
          .and_then(
              [&] { return write_file(directory / "ca.crl", *list, for_all, what.when_there); });
  if (!done)
    return failed(done);
  return "The authority of cluster " + what.cluster + " is in " + directory.string() +
         ". Keep ca.key there: who has it can make members.\nNext: edupulse-pki issue NAME\n";
}

expected<pki_directory> pki_directory::open(std::filesystem::path directory) {
  std::error_code ignored;
  if (!std::filesystem::exists(directory / "ca.crt", ignored))
    return fail(errc::not_found, "there is no authority in " + directory.string() +
                                     ": edupulse-pki init --cluster NAME makes one, --dir names "
                                     "another directory");
  auto lock = directory_lock::take(directory);
  if (!lock)
    return failed(lock);
  const auto certificate = tls_file::read(directory / "ca.crt", "the authority's certificate");
  if (!certificate)
    return failed(certificate);
  const auto key = tls_file::read(directory / "ca.key", "the authority's key", secrecy::owner_only);
  if (!key)
    return failed(key);
  auto ca = pki::authority::open(named(*certificate), named(*key));
  if (!ca)
    return failed(ca);
  return pki_directory(std::move(directory), std::move(*lock), std::move(*ca));
}

// -- nodes --------------------------------------------------------------------------

expected<std::string> pki_directory::issue(const new_node& what, std::int64_t now) const {
  if (auto good = check_directory_name(what.name); !good)
    return failed(good);
  if (ca_.not_after() <= now)
    return fail(errc::refused, "the authority itself has expired: make a new one with init, in "
                               "another directory");
  const auto place = where_ / "nodes" / what.name;
  for (const auto* name : {"node.key", "node.crt"})
    if (auto good = refuse_existing(place / name, what.when_there,
                                    "leaves the certificate there valid until it expires or is "
                                    "revoked");
        !good)
      return failed(good);
  const auto ca = tls_file::read(where_ / "ca.crt", "the authority's certificate");
  if (!ca)
    return failed(ca);
  const auto list = tls_file::read(where_ / "ca.crl", "the list of revoked certificates");
  if (!list)
    return failed(list);
  auto made = ca_.issue(what.name, what.dns_names, from_now(now, what.days));
  if (!made)
    return failed(made);
  const auto record = where_ / "issued" / (made->serial + ".crt");
  const auto put = [&](const char* name, std::string_view text, mode_t mode) {
    return write_file(place / name, text, mode, overwrite::allowed);
  };
  // On record first: what may be somewhere can then be revoked.
  auto done =
      make_directory(place)
          .and_then(
              [&] { return write_file(record, made->certificate, for_all, overwrite::refused); })
          .and_then(
              [&] { return write_file(place / "node.key", made->key, for_owner, what.when_there); })
          .and_then([&] {
            return write_file(place / "node.crt", made->certificate, for_all, what.when_there);
          })
          .and_then([&] { return put("ca.crt", ca->text(), for_all); })
          .and_then([&] { return put("ca.crl", list->text(), for_all); });
  if (!done)
    return failed(done);
  const auto days = (made->not_after - now) / day;
  return "Node " + what.name + " of cluster " + ca_.cluster() + ": copy the directory " +
         place.string() + " to it. Valid for " + std::to_string(days) + " days.\n";
}

expected<std::vector<std::string>> pki_directory::serials_of(const std::string& name,
                                                             std::int64_t now) const {
  const auto list = tls_file::read(where_ / "ca.crl", "the list of revoked certificates");
  if (!list)
    return failed(list);
  const auto revoked = ca_.revoked(named(*list));
  if (!revoked)
    return failed(revoked);
  std::error_code code;
  std::vector<std::string> found;
  for (std::filesystem::directory_iterator at(where_ / "issued", code), end; !code && at != end;
       at.increment(code)) {
    if (at->path().extension() != ".crt")
      continue;
    const auto file = tls_file::read(at->path(), "certificate");
    if (!file)
      return failed(file);
    // Others lie there after `init --force`: nobody trusts them any more.
    const auto certificate = ca_.recognise(named(*file));
    if (certificate && certificate->who.name == name && certificate->not_after > now &&
        std::find(revoked->begin(), revoked->end(), certificate->serial) == revoked->end())
      found.push_back(certificate->serial);
  }
  if (code)
    return fail(errc::io, (where_ / "issued").string() + " cannot be read: " + code.message());
  return found;
}

// -- what is revoked ----------------------------------------------------------------

expected<void> pki_directory::write_list(const std::vector<std::string>& serials, int crl_days,
                                         std::int64_t now) const {
  const auto last = tls_file::read(where_ / "ca.crl", "the list of revoked certificates");
  if (!last)
    return failed(last);
  const auto next = ca_.revoke(named(*last), serials, from_now(now, crl_days));
  if (!next)
    return failed(next);
  auto done = write_file(where_ / "ca.crl", *next, for_all, overwrite::allowed);
  std::error_code code;
  for (std::filesystem::directory_iterator at(where_ / "nodes", code), end;
       done && !code && at != end; at.increment(code))
    if (std::filesystem::is_directory(at->path(), code))
      done = write_file(at->path() / "ca.crl", *next, for_all, overwrite::allowed);
  if (done && code)
    return fail(errc::io, (where_ / "nodes").string() + " cannot be read: " + code.message());
  return done;
}

expected<std::string> pki_directory::revoke(const std::string& name, int crl_days,
                                            std::int64_t now) const {
  if (auto good = check_directory_name(name); !good)
    return failed(good);
  const auto serials = serials_of(name, now);
  if (!serials)
    return failed(serials);
  if (serials->empty())
    return fail(errc::not_found, "no certificate of node " + quote(name) +
                                     " is in force: it never had one, or all have expired or "
                                     "are revoked. The names are those of the directories in " +
                                     (where_ / "nodes").string());
  if (auto done = write_list(*serials, crl_days, now); !done)
    return failed(done);
  const std::string count = serials->size() == 1
                                ? "the certificate"
                                : "all " + std::to_string(serials->size()) + " certificates";
  return "Revoked: " + count + " of node " + name + ". Copy " + (where_ / "ca.crl").string() +
         " to every node within " + std::to_string(crl_days) + " days; they look for it.\n";
}

expected<std::string> pki_directory::renew_list(int crl_days, std::int64_t now) const {
  if (auto done = write_list({}, crl_days, now); !done)
    return failed(done);
  return "The list of revoked certificates is good for " + std::to_string(crl_days) +
         " more days. Copy " + (where_ / "ca.crl").string() + " to every node.\n";
}

} // namespace edupulse::cli
