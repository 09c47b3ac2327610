import type { Ref } from "react";

import styles from "./FramedPicture.module.css";

/** Shares of the picture's width and height, 0 to 1. */
export interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
}

interface Props {
  src: string;
  alt: string;
  places: readonly Place[];
  /** The frame of the first place. */
  first?: Ref<HTMLSpanElement>;
  onLoad?: () => void;
  onError: () => void;
}

/** A picture of a page with some places in it framed. */
export function FramedPicture({ src, alt, places, first, onLoad, onError }: Props) {
  return (
    <div className={styles["box"]}>
      <img className={styles["picture"]} src={src} alt={alt} onLoad={onLoad} onError={onError} />
      {places.map((place, at) => (
        <span
          key={at}
          ref={at === 0 ? first : undefined}
          className={styles["frame"]}
          aria-hidden="true"
          style={{
            left: `${100 * place.left}%`,
            top: `${100 * place.top}%`,
            width: `${100 * place.width}%`,
            height: `${100 * place.height}%`,
          }}
        />
      ))}
    </div>
  );
}
