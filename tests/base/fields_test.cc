// Configuration fields: text in, typed values out, one spelling and one set of messages.
#include "base/fields.h"

#include <doctest/doctest.h>

#include "base/error.h"

using namespace atelier;

namespace {
struct Config {
  std::int64_t latent_dim = 16;
  double kl_weight = 1;
  bool hflip = false;
  std::string net = "fc";
  Fields fields() {
    return {bind(latent_dim, {"latent_dim", "length of the code", "", {}, 1, 4096}),
            bind(kl_weight, {"kl_weight", "weight of the KL term", "", {}, 0}),
            bind(hflip, {"hflip", "mirror"}), bind(net, {"net", "network", "", {"fc", "conv"}})};
  }
};

std::string message_of(const BoundField& field, const char* text) {
  try {
    field.set_text(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}
}  // namespace

TEST_CASE("text sets the variable that the field is bound to") {
  Config config;
  Fields fields = config.fields();
  fields[0].set_text("1k");
  fields[1].set_text("0.25");
  fields[2].set_text("true");
  fields[3].set_text("conv");
  CHECK(config.latent_dim == 1000);
  CHECK(config.kl_weight == 0.25);
  CHECK(config.hflip);
  CHECK(config.net == "conv");
}

TEST_CASE("what does not fit is refused with the flag, the text and the expectation") {
  Config config;
  Fields fields = config.fields();
  CHECK(message_of(fields[0], "0") == "--latent-dim '0': expected a whole number from 1 to 4096");
  CHECK(message_of(fields[0], "1,5") ==
        "--latent-dim '1,5': expected a whole number from 1 to 4096");
  CHECK(message_of(fields[1], "-1") == "--kl-weight '-1': expected a number of at least 0");
  CHECK(message_of(fields[2], "yes") == "--hflip 'yes': expected true or false");
  CHECK(message_of(fields[3], "mlp") == "--net 'mlp': expected fc, conv");
  CHECK(config.latent_dim == 16);
  CHECK(config.net == "fc");
}

TEST_CASE("attributes round-trip, missing ones keep their default, unknown ones are refused") {
  Config config;
  config.latent_dim = 7;
  config.kl_weight = 0.1;
  Attributes stored = to_attributes(config.fields());
  Config again;
  from_attributes(again.fields(), stored);
  CHECK(again.latent_dim == 7);
  CHECK(again.kl_weight == 0.1);
  Config partly;
  from_attributes(partly.fields(), {{"net", std::string("conv")}});
  CHECK(partly.latent_dim == 16);
  CHECK_THROWS_AS(from_attributes(partly.fields(), {{"no_such", true}}), Error);
  // A file's value is named as the file has it, and is nobody's misuse of an option.
  std::string message;
  try {
    from_attributes(partly.fields(), {{"latent_dim", std::string("two")}});
  } catch (const UsageError&) {
    FAIL("misuse");
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK(message.starts_with("latent_dim 'two': expected a whole number"));
}
