import { arnOf, every, type Graph, text } from "../graph.ts"
import type { Wiring } from "./types.ts"

/** The buckets, with what they let pages of other origins do. */
export const bucketWiring = (graph: Graph): Wiring["buckets"] =>
  every(graph, "s3/bucket:Bucket").map((bucket) => ({
    name: text(bucket, "bucket"),
    arn: arnOf(bucket),
    corsRules: every(graph, "s3/bucketCorsConfiguration:BucketCorsConfiguration")
      .filter(({ inputs }) => inputs.bucket === text(bucket, "bucket"))
      .flatMap(({ inputs }) => inputs.corsRules),
  }))
