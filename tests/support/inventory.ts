/** The public functions that the folder registers, from its modules themselves. */

type Exported = { isQuery?: boolean; isMutation?: boolean; isAction?: boolean; isPublic?: boolean };

/** `dir/module:function` of every public function in the folder. */
export async function publicFunctions(): Promise<string[]> {
  const modules = import.meta.glob([
    "../../convex/**/*.ts",
    "!../../convex/**/*.test.ts",
    "!../../convex/**/*.config.ts",
    "!../../convex/_generated/**",
    "!../../convex/events/**",
  ]);
  const names: string[] = [];
  for (const [path, load] of Object.entries(modules)) {
    const exported = (await load()) as Record<string, Exported | undefined>;
    const module = path.slice("../../convex/".length, -".ts".length);
    for (const [name, value] of Object.entries(exported)) {
      const isFunction = value?.isQuery ?? value?.isMutation ?? value?.isAction ?? false;
      if (isFunction && value?.isPublic === true) names.push(`${module}:${name}`);
    }
  }
  return names.sort();
}
