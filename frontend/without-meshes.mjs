/** Formats of surface meshes that cornerstone would read; the page shows images only. */
export const withoutMeshes = {
  name: "without-meshes",
  setup(builder) {
    builder.onResolve({ filter: /IO\/XML\/XMLPolyDataReader/ }, (args) => ({ path: args.path, namespace: "absent" }));
    builder.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: "export default {};" }));
  },
};
