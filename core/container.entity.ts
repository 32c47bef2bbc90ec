import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

export const ContainerEntity = new Entity(
  {
    model: { service: "dormouse", entity: "container", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      containerId: { type: "string", required: true },
      name: { type: "string", required: true },
      description: { type: "string" },
      /** The version that new agents get, and its number. */
      versionId: { type: "string", required: true },
      number: { type: "number", required: true },
      /** Goes up with every write. */
      revision: { type: "number", required: true },
      archivedAt: { type: "string" },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: ["containerId"], template: "container#${containerId}", casing: "none" },
      },
    },
  },
  table,
)

/** An image that a container stood for at some time, never changed once written. */
export const ContainerVersionEntity = new Entity(
  {
    model: { service: "dormouse", entity: "container-version", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      containerId: { type: "string", required: true },
      versionId: { type: "string", required: true },
      number: { type: "number", required: true },
      /** Where the image comes from a preset: its name. */
      preset: { type: "string" },
      /** The image itself, so that a preset which changes later changes nothing here. */
      image: { type: "string", required: true },
      contractVersion: { type: "string", required: true },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byContainer: {
        pk: { field: "pk", composite: ["accountId", "containerId"], template: "${accountId}#${containerId}", casing: "none" },
        sk: { field: "sk", composite: ["versionId"], template: "version#${versionId}", casing: "none" },
      },
    },
  },
  table,
)

/** Which container a version belongs to: an agent may name the version alone. */
export const ContainerOfVersionEntity = new Entity(
  {
    model: { service: "dormouse", entity: "container-of-version", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      versionId: { type: "string", required: true },
      containerId: { type: "string", required: true },
    },
    indexes: {
      byVersion: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: ["versionId"], template: "container-version#${versionId}", casing: "none" },
      },
    },
  },
  table,
)

export type ContainerRow = EntityItem<typeof ContainerEntity>
export type ContainerVersionRow = EntityItem<typeof ContainerVersionEntity>
