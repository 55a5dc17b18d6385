// The VAE family: parameter counts, shapes for awkward pictures, refusals, losses as identities.
#include "models/vae.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

#include "base/random.h"
#include "models/registry.h"
#include "nn/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

Model vae(const Attributes& values, const DataShape& shape) {
  Model model = make_model("vae");
  for (const auto& [name, value] : values) {
    for (const BoundField& field : model.fields) {
      if (field.name == name) field.set(value);
    }
  }
  model.fit(shape);
  return model;
}

using Text = std::string;
const Attributes kConv{
    {"net", Text("conv")}, {"latent_dim", std::int64_t{64}}, {"likelihood", Text("gaussian")}};

// A graph of `rows` pictures with everything a model asks for.
struct Bench {
  Graph graph;
  Store store{5};
  Scope scope;
  Batch batch;
  OracleState state;

  Bench(const DataShape& shape, std::int64_t rows, Mode mode = Mode::train)
      : scope(graph, store, mode, noise_inputs(graph, rows)) {
    Shape pictures{rows, shape.height, shape.width, shape.channels};
    batch.image = graph.input("image", DType::f32, pictures);
    RandomStream random(2, stream_of("vae_test"));
    std::vector<double> image(std::size_t(pictures.count())), ids;
    for (double& v : image) v = random.uniform();
    for (std::int64_t i = 0; i < rows; ++i) ids.push_back(double(i));
    state.inputs["image"] = testing::dense_of(pictures, image);
    state.inputs["ids"] = testing::dense_of({rows}, ids, DType::i32);
    state.inputs["clock"] = testing::dense_of({3}, {3, 0, 1}, DType::i32);
  }
  std::vector<double> value(Expr e) {
    OracleState copy = testing::state_of(store);
    copy.inputs = state.inputs;
    return testing::value_of(e, copy);
  }
  std::int64_t parameters() const {
    std::int64_t total = 0;
    for (Expr p : scope.params()) total += p.shape().count();
    return total;
  }
};

std::string refusal(const Attributes& values, const DataShape& shape) {
  try {
    vae(values, shape);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the reference networks have exactly their published parameter counts") {
  DataShape digits{28, 28, 1, 0}, colour{32, 32, 3, 0};
  struct {
    Attributes values;
    DataShape shape;
    std::int64_t parameters;
  } rows[] = {{{}, digits, 676864},
              {kConv, colour, 2108803},
              {{{"variational", false}}, digits, 676864 - 401 * 40},
              {{{"hidden_dim", Text()}, {"latent_dim", std::int64_t{16}}, {"variational", false}},
               digits,
               784 * 16 + 16 + 16 * 784 + 784}};
  for (const auto& row : rows) {
    Bench bench(row.shape, 2);
    vae(row.values, row.shape).objective(bench.scope, bench.batch);
    CHECK(bench.parameters() == row.parameters);
  }
}

TEST_CASE("pictures of any size and channel count come back in their own shape") {
  const DataShape shapes[] = {{28, 28, 1, 0}, {48, 80, 3, 0}, {9, 13, 7, 0}, {32, 33, 4, 0}};
  for (const DataShape& shape : shapes) {
    for (std::int64_t kernel : {3, 4, 5}) {
      for (const char* norm : {"batch", "group", "none"}) {
        Model model = vae({{"net", Text("conv")},
                           {"channels", Text("8,12")},
                           {"kernel_size", kernel},
                           {"norm", Text(norm)},
                           {"latent_dim", std::int64_t{5}}},
                          shape);
        Bench bench(shape, 2);
        bench.scope = bench.scope.frozen();  // these graphs share statistics
        Expr latent = model.encode(bench.scope, bench.batch.image, {});
        CHECK(to_string(latent.shape()) == to_string(model.latent_shape(2)));
        CHECK(to_string(model.decode(bench.scope, latent, {}).shape()) ==
              to_string(bench.batch.image.shape()));
        CHECK(to_string(model.draw(bench.scope, {.rows = 2}).shape()) ==
              to_string(bench.batch.image.shape()));
        CHECK(model.objective(bench.scope, bench.batch).loss.shape() == Shape{});
        for (const Term& term : model.validation(bench.scope, bench.batch)) {
          INFO(term.name);
          CHECK(to_string(term.value.shape()) == "[2]");
        }
      }
    }
  }
}

TEST_CASE("impossible configurations are refused by name") {
  DataShape tiny{6, 40, 3, 0}, digits{28, 28, 1, 0};
  CHECK(refusal(kConv, tiny) ==
        "--channels '64,128,256': pictures of 6x40 are too small for 3 halvings");
  CHECK(refusal({{"sigma", Text("learned")}}, digits).starts_with("--sigma learned"));
  CHECK(refusal({{"output_activation", Text("linear")}}, digits)
            .starts_with("--output-activation linear"));
  for (const char* text : {"400,", "x", ",400", "0", "400,,200", "-3"}) {
    INFO(std::string(text));
    CHECK(refusal({{"hidden_dim", Text(text)}}, digits).starts_with("--hidden-dim '"));
  }
  CHECK(
      refusal({{"net", Text("conv")}, {"channels", Text()}}, digits).starts_with("--channels ''"));
}

TEST_CASE("an unknown model is told which there are") {
  std::string known;
  for (const ModelEntry& entry : registry())
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  std::string message = "unknown model 'vea'; this version knows " + known;
  CHECK_THROWS_WITH_AS(make_model("vea"), message.c_str(), Error);
}

TEST_CASE("options that would have no effect are refused, their defaults and presets are not") {
  DataShape digits{28, 28, 1, 0}, colour{32, 32, 3, 0};
  const Text conv = "conv", fc = "fc";
  CHECK(refusal({{"variational", false}, {"kl_weight", 2.0}}, digits) ==
        "--kl-weight 2: a plain autoencoder (variational false) has no KL term");
  CHECK(refusal({{"variational", false}, {"kl_weight", 1.0}}, digits).empty());
  CHECK(refusal({{"variational", true}, {"kl_weight", 2.0}}, digits).empty());
  struct {
    const char *field, *flag;
    Scalar value;
    Text net, other;
  } rows[] = {{"channels", "--channels '8,16'", Text("8,16"), conv, fc},
              {"kernel_size", "--kernel-size '5'", std::int64_t{5}, conv, fc},
              {"norm", "--norm 'group'", Text("group"), conv, fc},
              {"hidden_dim", "--hidden-dim '200'", Text("200"), fc, conv}};
  for (const auto& row : rows) {
    INFO(std::string(row.flag));
    CHECK(refusal({{"net", row.net}, {row.field, row.value}}, colour).empty());
    CHECK(refusal({{"net", row.other}, {row.field, row.value}}, colour) ==
          fmt::format("{} has no effect with --net {}, expected --net {}", row.flag, row.other,
                      row.net));
  }
  // Grey pictures are learnt by the fully connected net unless another is asked for.
  CHECK(refusal({{"channels", Text("8,16")}}, digits) ==
        "--channels '8,16' has no effect with --net fc, expected --net conv");
  CHECK(refusal({{"hidden_dim", Text("200")}}, colour).empty());  // chooses fc
  for (const Preset& preset : make_model("vae").presets) {
    for (const Text& net : {conv, fc}) {
      INFO(std::string(preset.name), " ", net);
      Attributes values = preset.values;
      values.emplace_back("net", net);
      CHECK(refusal(values, colour).empty());
    }
  }
}

TEST_CASE("the loss is reconstruction plus weighted KL, and warm-up scales the KL alone") {
  DataShape shape{6, 5, 1, 0};
  double worst = 0;
  for (double weight : {0.0, 0.5, 1.0, 4.0}) {
    Model model = vae({{"kl_weight", weight},
                       {"kl_warmup_steps", std::int64_t{100}},
                       {"hidden_dim", Text("8")},
                       {"latent_dim", std::int64_t{3}}},
                      shape);
    Bench bench(shape, 4);
    Objective whole = model.objective(bench.scope, bench.batch);
    bench.batch.step = bench.graph.constant(25);
    Objective warming = model.objective(bench.scope, bench.batch);
    REQUIRE(whole.terms.size() == 2);
    double reconstruction = bench.value(whole.terms[0].value)[0];
    double kl = bench.value(whole.terms[1].value)[0];
    CHECK(kl > 0);
    CHECK(bench.value(whole.loss)[0] == testing::near(reconstruction + weight * kl, 1e-6));
    worst =
        std::max(worst, std::abs(bench.value(whole.loss)[0] / (reconstruction + weight * kl) - 1));
    CHECK(bench.value(warming.loss)[0] == testing::near(reconstruction + 0.25 * weight * kl, 1e-6));
  }
  fmt::print("summary: VAE loss against reconstruction + weight KL, four weights: {:.1e}\n", worst);
}

TEST_CASE("a KL weight of 0 gives the gradients of the reconstruction, and of an autoencoder") {
  DataShape shape{6, 5, 1, 0};
  const std::int64_t hidden = 8, latent = 3;
  auto model = [&](double weight, bool variational) {
    return vae({{"kl_weight", variational ? weight : 1.0},
                {"variational", variational},
                {"hidden_dim", Text("8")},
                {"latent_dim", latent}},
               shape);
  };
  Bench bench(shape, 4);
  Objective without = model(0, true).objective(bench.scope, bench.batch);
  Objective with = model(2, true).objective(bench.scope, bench.batch);
  std::vector<Expr> params = bench.scope.params();
  auto gradients = [](Bench& at, Expr loss, std::span<const Expr> wrt) {
    std::vector<std::vector<double>> values;
    for (Expr e : gradient(loss, wrt)) values.push_back(at.value(e));
    return values;
  };
  auto free = gradients(bench, without.loss, params);
  auto reconstruction = gradients(bench, with.terms[0].value, params);
  auto whole = gradients(bench, with.loss, params),
       kl = gradients(bench, with.terms[1].value, params);
  double size = 0, of_term = 0, of_difference = 0;
  for (std::size_t i = 0; i < params.size(); ++i) {
    for (std::size_t j = 0; j < free[i].size(); ++j) {
      size = std::max(size, std::abs(free[i][j]));
      of_term = std::max(of_term, std::abs(free[i][j] - reconstruction[i][j]));
      of_difference = std::max(of_difference, std::abs(free[i][j] - (whole[i][j] - 2 * kl[i][j])));
    }
  }
  REQUIRE(size > 0.1);

  // A posterior of no width draws its mean: the same parameters are those of a plain autoencoder.
  for (float& v : bench.store.values("encoder.stats.bias").subspan(std::size_t(latent))) v = -90;
  for (std::int64_t row = 0; row < hidden; ++row) {
    auto weight = bench.store.values("encoder.stats.weight");
    std::fill_n(weight.begin() + row * 2 * latent + latent, latent, 0.0f);
  }
  Bench plain(shape, 4);
  Objective autoencoder = model(0, false).objective(plain.scope, plain.batch);
  for (const std::string& name : plain.scope.param_names()) {
    auto to = plain.store.values(name);
    auto from = std::as_const(bench.store).values(name);
    std::size_t width = name.starts_with("encoder.stats") ? std::size_t(latent) : to.size();
    std::size_t pitch = from.size() / (to.size() / width);
    for (std::size_t j = 0; j < to.size(); ++j) to[j] = from[j / width * pitch + j % width];
  }
  auto narrow = gradients(bench, without.loss, params);
  auto expected = gradients(plain, autoencoder.loss, plain.scope.params());
  std::vector<std::string> names = bench.scope.param_names();
  REQUIRE(names == plain.scope.param_names());
  double of_autoencoder = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::size_t width =
        names[i].starts_with("encoder.stats") ? std::size_t(latent) : expected[i].size();
    std::size_t pitch = narrow[i].size() / (expected[i].size() / width);
    for (std::size_t j = 0; j < expected[i].size(); ++j) {
      double found = narrow[i][j / width * pitch + j % width];
      of_autoencoder = std::max(of_autoencoder, std::abs(found - expected[i][j]));
    }
  }
  fmt::print(
      "summary: gradients at KL weight 0: {:.1e} from the reconstruction's, {:.1e} from the loss's "
      "less the KL's, {:.1e} from an autoencoder's\n",
      of_term / size, of_difference / size, of_autoencoder / size);
  CHECK(of_term / size <= 1e-6);
  CHECK(of_difference / size <= 1e-6);
  CHECK(of_autoencoder / size <= 1e-6);
}

TEST_CASE("validation starts with the loss and its mean is the objective's") {
  DataShape shape{6, 5, 2, 0};
  for (const char* likelihood : {"bernoulli", "gaussian"}) {
    for (bool variational : {true, false}) {
      Model model = vae({{"likelihood", Text(likelihood)},
                         {"variational", variational},
                         {"kl_weight", variational ? 2.0 : 1.0},
                         {"hidden_dim", Text("8")},
                         {"latent_dim", std::int64_t{3}}},
                        shape);
      Bench bench(shape, 4);
      auto terms = model.validation(bench.scope, bench.batch);
      CHECK(terms[0].name == "loss");
      double mean = 0;
      for (double v : bench.value(terms[0].value)) mean += v / 4;
      double loss = bench.value(model.objective(bench.scope, bench.batch).loss)[0];
      CHECK(mean == testing::near(loss, 1e-9));
    }
  }
}

TEST_CASE("a plain autoencoder's loss is half the squared error and the constant") {
  DataShape shape{4, 4, 3, 0};
  Model model = vae({{"variational", false}, {"likelihood", Text("gaussian")}}, shape);
  Bench bench(shape, 3);
  Objective objective = model.objective(bench.scope, bench.batch);
  REQUIRE(objective.terms.size() == 1);
  double error = bench.value(objective.terms[0].value)[0];
  CHECK(bench.value(objective.loss)[0] == testing::near(error / 2 + 24 * std::log(2 * M_PI), 1e-7));
  CHECK(!model.no_prior().empty());
  CHECK_THROWS_AS(model.draw(bench.scope, {.rows = 3}), UsageError);
  CHECK_THROWS_AS(model.log_weight(bench.scope, bench.batch), UsageError);
}

TEST_CASE("one importance weight is the ELBO with both densities of the same draw") {
  DataShape shape{4, 4, 1, 0};
  Model model = vae({{"latent_dim", std::int64_t{2}}, {"hidden_dim", Text("6")}}, shape);
  Bench bench(shape, 3);
  auto weights = bench.value(model.log_weight(bench.scope, bench.batch));
  auto terms = model.validation(bench.scope, bench.batch);
  auto reconstruction = bench.value(terms[1].value);
  VaeConfig config{
      .latent_dim = 2, .hidden_dim = "6", .image_height = 4, .image_width = 4, .in_channels = 1};
  Posterior posterior = vae_encode(config, bench.scope / "encoder", bench.batch.image);
  auto mu = bench.value(posterior.mu), logvar = bench.value(posterior.logvar);
  auto eps = bench.value(bench.scope.normal("latent", {3, 2}));
  for (std::size_t i = 0; i < 3; ++i) {
    double expected = -reconstruction[i];
    for (std::size_t k = 2 * i; k < 2 * i + 2; ++k) {
      double z = mu[k] + std::exp(logvar[k] / 2) * eps[k];
      expected += -0.5 * z * z + 0.5 * eps[k] * eps[k] + 0.5 * logvar[k];
    }
    CHECK(weights[i] == testing::near(expected, 1e-9));
  }
}

TEST_CASE("pictures that are drawn or decoded lie within 0 and 1") {
  DataShape shape{4, 4, 1, 0};
  for (const char* output : {"sigmoid", "linear"}) {
    Model model =
        vae({{"likelihood", Text("gaussian")}, {"output_activation", Text(output)}}, shape);
    Bench bench(shape, 8, Mode::eval);
    for (double v : bench.value(model.draw(bench.scope, {.rows = 8}))) {
      CHECK(v >= 0);
      CHECK(v <= 1);
    }
  }
}

TEST_CASE("norm auto is batch, save where a picture is one value a channel") {
  struct Row {
    DataShape shape;
    const char* norm;
  };
  const Row rows[] = {
      {{32, 32, 3, 0}, "batch"}, {{16, 16, 3, 0}, "batch"},
      {{8, 16, 3, 0}, "batch"},  {{15, 15, 3, 0}, "group"},
      {{8, 8, 3, 0}, "group"},   {{28, 28, 1, 0}, "batch"}};  // a fully connected net: of no effect
  for (const Row& row : rows) {
    INFO(row.shape.height, "x", row.shape.width);
    Model model = vae({}, row.shape);
    CHECK(to_text(*find(to_attributes(model.fields), "norm")) == row.norm);
    Bench bench(row.shape, 1);  // a batch of one can be trained on
    model.objective(bench.scope, bench.batch);
  }
  for (auto [channels, norm] : {std::pair("8,64", "group"), {"8,56", "none"}, {"4,8", "none"}}) {
    Model model = vae({{"net", Text("conv")}, {"channels", Text(channels)}}, {5, 7, 1, 0});
    CHECK(to_text(*find(to_attributes(model.fields), "norm")) == norm);
  }
  DataShape trained{.height = 8, .width = 8, .channels = 3, .least_rows = 1, .source = "a.h5"};
  CHECK_THROWS_AS(vae({{"norm", Text("batch")}}, trained), UsageError);
  trained.least_rows = 2;
  vae({{"norm", Text("batch")}}, trained);
}

TEST_CASE("every preset names existing fields and fits a picture") {
  Model model = make_model("vae");
  CHECK(model.presets.size() >= 3);
  for (const Preset& preset : model.presets) {
    INFO(std::string(preset.name));
    int known = 0;
    for (const auto& [name, value] : preset.values) {
      for (const BoundField& field : make_model("vae").fields) known += field.name == name;
    }
    CHECK(known >= 3);
    Bench bench({32, 32, 3, 0}, 2);
    vae(preset.values, {32, 32, 3, 0}).objective(bench.scope, bench.batch);
    CHECK(bench.parameters() > 0);
  }
}

TEST_CASE("every field has help and a configuration survives being stored") {
  Model model = make_model("vae");
  for (const BoundField& field : model.fields) {
    INFO(field.name);
    CHECK(!field.help.empty());
  }
  Model source = vae(kConv, {32, 32, 3, 0}), copy = make_model("vae");
  from_attributes(copy.fields, to_attributes(source.fields));
  CHECK(to_attributes(copy.fields) == to_attributes(source.fields));
  CHECK(copy.data_shape().channels == 3);
}
