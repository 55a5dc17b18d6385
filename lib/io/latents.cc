// Latents as HDF5: one check of the scaling factor serves the reader and the writer.
#include "io/latents.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "io/row_file.h"

namespace atelier {
namespace {

void require_factor(const std::string& file, double factor) {
  if (std::isfinite(factor) && factor > 0) return;
  throw Error(fmt::format("{}: /latents: scaling_factor {}: expected a finite number above 0", file,
                          factor));
}

// Of programs that write 1 for 1.0 too.
double scaling_factor(const Hdf5Reader& file, const Scalar* value) {
  if (!value) {
    throw Error(fmt::format(
        "{}: /latents has no scaling_factor of one number: expected the factor that makes their "
        "deviation 1",
        file.name()));
  }
  double factor = 0;
  if (auto* real = std::get_if<double>(value)) {
    factor = *real;
  } else if (auto* whole = std::get_if<std::int64_t>(value)) {
    factor = double(*whole);
  } else {
    throw Error(fmt::format("{}: /latents: scaling_factor '{}': expected a number", file.name(),
                            to_text(*value)));
  }
  require_factor(file.name(), factor);
  return factor;
}

LatentSpace space_of(const Hdf5Reader& file) {
  const Attributes about = file.attributes("/latents");
  LatentSpace space{.scaling_factor = scaling_factor(file, find(about, "scaling_factor")),
                    .vae = {}};
  if (const Scalar* vae = find(about, "vae")) {
    auto* text = std::get_if<std::string>(vae);
    if (!text)
      throw Error(fmt::format("{}: /latents: vae {}: expected a text", file.name(), to_text(*vae)));
    space.vae = *text;
  }
  return space;
}

}  // namespace

LatentsInfo describe_latents(const Hdf5Reader& file) {
  file.require_kind("latents");
  LatentsInfo found{.dataset = file.info("/latents"), .space = {}};
  const DatasetInfo& info = found.dataset;
  const std::vector<std::int64_t>& dims = info.dims;
  bool numbers = info.type == FileType::f32 || info.type == FileType::f16;
  if (!numbers || (dims.size() != 2 && dims.size() != 4)) {
    throw Error(fmt::format("{}: /latents: expected f32 or f16 [N,H,W,C] or [N,D], found {} [{}]",
                            file.name(), name(info.type), fmt::join(dims, ",")));
  }
  if (dims.size() == 4) {
    found.height = dims[1];
    found.width = dims[2];
  }
  found.channels = dims.back();
  found.space = space_of(file);
  return found;
}

void require_same_space(const std::string& name, const LatentSpace& space, const std::string& first,
                        const LatentSpace& wanted) {
  if (space == wanted) return;
  bool factor = space.scaling_factor != wanted.scaling_factor;
  throw Error(fmt::format("{}: {} is '{}', but '{}' in {}", name, factor ? "scaling_factor" : "vae",
                          factor ? fmt::format("{}", space.scaling_factor) : space.vae,
                          factor ? fmt::format("{}", wanted.scaling_factor) : wanted.vae, first));
}

struct LatentSink::Impl {
  RowRules rules;
  RowFile file;
  std::int64_t count = 0;
};

LatentSink::LatentSink(const std::string& output, const Latents& about, bool labelled, bool force) {
  std::vector<std::int64_t> dims{about.height, about.width, about.channels};
  if (about.height == 1 && about.width == 1) dims = {about.channels};
  RowRules rules{.file = output_name(output),
                 .size = about.height * about.width * about.channels,
                 .dtype = about.dtype,
                 .labelled = labelled};
  impl_ = std::make_unique<Impl>(Impl{rules, RowFile(output, "latents", rules, dims, force)});
}
LatentSink::~LatentSink() = default;

void LatentSink::add(const VectorRow& row) {
  require_row(impl_->rules, row, impl_->count++);
  impl_->file.add(row);
}

void LatentSink::finish(const Latents& about) {
  const LatentSpace& space = about.space;
  require_factor(impl_->rules.file, space.scaling_factor);
  Attributes of_rows{{"scaling_factor", space.scaling_factor}};
  if (!space.vae.empty()) of_rows.emplace_back("vae", space.vae);
  impl_->file
      .finish(of_rows, {.config = about.config,
                        .preprocess = about.preprocess,
                        .inputs = about.inputs,
                        .label_names = about.label_names})
      .commit();
}

}  // namespace atelier
