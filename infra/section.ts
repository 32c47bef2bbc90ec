/** A guide with this text between `<!-- name: … -->` and `<!-- /name -->`. */
export const withSection = (guide: string, name: string, text: string) =>
  guide.replace(new RegExp(`(<!-- ${name}[^>]*-->\\n).*?(?=<!-- /${name} -->)`, "s"), (_, begin: string) => `${begin}${text}\n`)

/** The guide with the lines of a stack's figures, as they are printed. */
export const withFigures = (guide: string, lines: string) => withSection(guide, "figures", `\`\`\`\n${lines}\n\`\`\``)
