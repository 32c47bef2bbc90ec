import { runtime } from "@pulumi/pulumi"
import type { Settings } from "./settings.ts"

/** The tag by which the account's bill and its budget know the tenant. */
export const tenantTag = "dormouse:tenant"

export const tagsOf = ({ tenant }: Settings) => ({ [tenantTag]: tenant })

/** Has everything that is made from now on carry the tenant's tag, where it can carry any: such a resource has its tags read back by AWS. */
export const tagAll = (settings: Settings) =>
  runtime.registerStackTransformation(({ props, opts }) => {
    if (!("tagsAll" in props)) return undefined
    return { props: { ...props, tags: { ...props.tags, ...tagsOf(settings) } }, opts }
  })
