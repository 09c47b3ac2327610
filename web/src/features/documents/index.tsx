import { Spinner } from "@/components/Spinner";

export default function Area() {
  return <Spinner />;
}
